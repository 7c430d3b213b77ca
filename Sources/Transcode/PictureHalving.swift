import CFFmpeg

/// Halves both sides of a yuv420p picture, each pixel the rounded mean of four: what libswscale's averaging of areas comes
/// to for this ratio, the one that ladders are made of, in a fraction of its time.
package enum PictureHalving {
    /// `target` has exactly half of `source`'s width and height, and both keep their pixels in the same form.
    package static func fits(_ source: borrowing AVFrameRef, _ target: borrowing AVFrameRef) -> Bool {
        let (from, to) = (source.size, target.size)
        return PixelFormat.isPlain(source.raw.pointee) && from.width == 2 * to.width && from.height == 2 * to.height
            && to.width.isMultiple(of: 2) && to.height.isMultiple(of: 2)
    }

    /// Fills `target` from `source`, which fit each other; false when either has no pixels.
    package static func halve(_ source: borrowing AVFrameRef, into target: borrowing AVFrameRef) -> Bool {
        let size = target.size
        let done: Void? =
            source.withPlanes { from in
                target.withPlanes { to in
                    let (f, t) = (from.strides, to.strides)
                    plane(from.base.0, Int(f.0), to.base.0, Int(t.0), size.width, size.height)
                    plane(from.base.1, Int(f.1), to.base.1, Int(t.1), size.width / 2, size.height / 2)
                    plane(from.base.2, Int(f.2), to.base.2, Int(t.2), size.width / 2, size.height / 2)
                }
            } ?? nil
        return done != nil
    }

    /// - Parameters:
    ///   - width: bytes of a line of the target.
    ///   - height: lines of the target.
    private static func plane(
        _ source: UnsafePointer<UInt8>, _ sourceStride: Int, _ target: UnsafeMutablePointer<UInt8>, _ targetStride: Int,
        _ width: Int, _ height: Int
    ) {
        for row in 0..<height {
            let upper = source + 2 * row * sourceStride
            line(upper, upper + sourceStride, target + row * targetStride, width)
        }
    }

    private static func line(
        _ upper: UnsafePointer<UInt8>, _ lower: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>,
        _ width: Int
    ) {
        let lanes = 16
        var column = 0
        while column + lanes <= width {
            // Two bytes that become one make a 16-bit number each; which of them is the low one does not matter.
            let a = UnsafeRawPointer(upper + 2 * column).loadUnaligned(as: SIMD16<UInt16>.self)
            let b = UnsafeRawPointer(lower + 2 * column).loadUnaligned(as: SIMD16<UInt16>.self)
            let sum = (a & 0xFF) &+ (a &>> 8) &+ (b & 0xFF) &+ (b &>> 8) &+ 2
            let mean = SIMD16<UInt8>(truncatingIfNeeded: sum &>> 2)
            UnsafeMutableRawPointer(target + column).storeBytes(of: mean, as: SIMD16<UInt8>.self)
            column += lanes
        }
        while column < width {
            let sum =
                UInt16(upper[2 * column]) + UInt16(upper[2 * column + 1]) + UInt16(lower[2 * column])
                + UInt16(lower[2 * column + 1])
            target[column] = UInt8(truncatingIfNeeded: (sum + 2) >> 2)
            column += 1
        }
    }
}

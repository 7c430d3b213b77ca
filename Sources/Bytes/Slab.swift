import Synchronization

/// Reference-counted bytes that are never written again once sealed, so they cross threads freely.
///
/// Storage comes from a `SlabPool` when there is one and returns to it with the last reference.
@safe public final class SlabStorage: @unchecked Sendable {
    // SAFETY: the memory is written only through the unique `SlabWriter` that owns it, before `seal()` shares it; after
    // that it is read-only until `deinit` gives it back. A `PacketArena` writes each range before it shares the slice
    // of it, and starts over only when it holds the one reference that is left.
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let capacity: Int
    private let pool: SlabPool?

    init(capacity: Int, pool: SlabPool?) {
        self.pool = pool
        if let pool {
            unsafe (base, self.capacity) = pool.take(atLeast: capacity)
        } else {
            unsafe base = .allocate(byteCount: capacity, alignment: 64)
            self.capacity = capacity
        }
    }

    deinit {
        if let pool {
            unsafe pool.give(base, capacity: capacity)
        } else {
            unsafe base.deallocate()
        }
    }
}

/// A view of sealed bytes that keeps them alive. Copying it costs one retain.
///
/// At least `SlabWriter.paddingBytes` zero bytes can be read behind the end of the *storage's* content; a slice that
/// ends earlier is followed by whatever the storage holds there.
public struct SlabSlice: Sendable {
    @usableFromInline let storage: SlabStorage
    @usableFromInline let offset: Int
    public let count: Int

    @usableFromInline
    init(storage: SlabStorage, offset: Int, count: Int) {
        self.storage = storage
        self.offset = offset
        self.count = count
    }

    /// Copies `bytes` into storage of their own.
    public init(copying bytes: RawSpan, pool: SlabPool? = nil) {
        var writer = SlabWriter(reservingCapacity: bytes.byteCount, pool: pool)
        writer.append(bytes)
        self = writer.seal()
    }

    public init(copying bytes: [UInt8]) { self.init(copying: bytes.rawSpan) }

    @inlinable
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(storage.base + offset), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// A narrower view of the same storage; traps when `range` leaves `0..<count`.
    @inlinable
    public subscript(_ range: Range<Int>) -> SlabSlice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice out of bounds")
        return SlabSlice(storage: storage, offset: offset + range.lowerBound, count: range.count)
    }

    /// True when the slice ends where its storage's content ends, so that the zero padding follows it directly.
    public var endsAtPadding: Bool {
        guard offset + count + SlabWriter.paddingBytes <= storage.capacity else { return false }
        for index in 0..<SlabWriter.paddingBytes {
            if unsafe storage.base.load(fromByteOffset: offset + count + index, as: UInt8.self) != 0 { return false }
        }
        return true
    }

    /// Lends the address to C together with the object that keeps it alive (see `Unmanaged`).
    @inlinable
    public func withUnsafeStorage<R>(_ body: (SlabStorage, UnsafeRawPointer) -> R) -> R {
        unsafe body(storage, UnsafeRawPointer(storage.base + offset))
    }

    public func copied() -> [UInt8] { bytes.copied() }
}

/// The one owner of a slab while it is filled. It grows with the bytes that arrive, never by a length that was announced.
public struct SlabWriter: ~Copyable {
    /// Zero bytes behind the last one, enough for every decoder that reads ahead.
    public static let paddingBytes = 64

    private var storage: SlabStorage
    public private(set) var count = 0
    private let pool: SlabPool?

    public init(reservingCapacity capacity: Int = 4096, pool: SlabPool? = nil) {
        self.pool = pool
        storage = SlabStorage(capacity: max(capacity, 0) + Self.paddingBytes, pool: pool)
    }

    public mutating func append(_ bytes: RawSpan) {
        let needed = count + bytes.byteCount + Self.paddingBytes
        if needed > storage.capacity { grow(to: needed) }
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress {
                unsafe (storage.base + count).copyMemory(from: start, byteCount: source.count)
            }
        }
        count += bytes.byteCount
    }

    public mutating func append(_ bytes: [UInt8]) { append(bytes.rawSpan) }

    public mutating func append(_ byte: UInt8) {
        if count + 1 + Self.paddingBytes > storage.capacity { grow(to: count + 1 + Self.paddingBytes) }
        unsafe (storage.base + count).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    /// Overwrites a byte that was written before; for lengths known only later. Traps past the end.
    public mutating func patch(_ byte: UInt8, at offset: Int) {
        precondition(offset >= 0 && offset < count, "patch outside of the written bytes")
        unsafe (storage.base + offset).storeBytes(of: byte, as: UInt8.self)
    }

    /// Forgets what was written and keeps the memory.
    public mutating func removeAll() { count = 0 }

    /// The bytes written so far.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(storage.base), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Ends writing: pads with zeroes and hands the bytes over.
    public consuming func seal() -> SlabSlice {
        unsafe (storage.base + count).initializeMemory(as: UInt8.self, repeating: 0, count: Self.paddingBytes)
        return SlabSlice(storage: storage, offset: 0, count: count)
    }

    private mutating func grow(to needed: Int) {
        let larger = SlabStorage(capacity: max(needed, storage.capacity * 2), pool: pool)
        unsafe larger.base.copyMemory(from: storage.base, byteCount: count)
        storage = larger
    }
}

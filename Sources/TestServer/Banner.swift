import DTLS
import Ingress
import NIOCore
import Runtime

/// What a person sees in the terminal.
enum Banner {
    static func text(_ bound: RoomServer.Bound, isDemo: Bool) -> String {
        let key = "mystream"
        let publish = bound.rtmpURL.replacing("KEY", with: key)
        let server = bound.rtmpURL.replacing("/KEY", with: "")
        let secure = bound.rtmpsURL.map { "  RTMPS    \($0)\n" } ?? ""
        let demo = isDemo ? "\n  A test picture is being published as \"demo\".\n" : ""
        return """

              Ingress test server is up. Open the page and watch:

                \(bound.pageURL)

              RTMP     \(bound.rtmpURL)
            \(secure)  WHIP     \(bound.whipURL)
              WHEP     \(bound.whepURL)
              KEY is any name you like; it is what viewers ask for.
            \(demo)
              FFmpeg, a test picture:
                ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 \\
                  -c:v libx264 -preset veryfast -tune zerolatency -g 60 -pix_fmt yuv420p -c:a aac \\
                  -f flv \(publish)
              FFmpeg, a file:
                ffmpeg -re -i video.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac \\
                  -f flv \(publish)

              OBS: Settings > Stream > Service "Custom..."
                Server      \(server)
                Stream Key  \(key)
              or Service "WHIP", with
                Server      \(bound.whipURL.replacing("/KEY", with: ""))
                Bearer Token  \(key)
              and for the least delay: key frame interval 2 s, tune zerolatency, no B-frames.

              Stop with Ctrl-C.

            """
    }

    /// One sentence that says what to do.
    static func sentence(for error: any Error) -> String {
        switch error {
        case let error as RuntimeError: "\(error)"
        case let error as DTLSError: "\(error)"
        case let error as IOError where error.errnoCode == 98:
            "the HTTP port is in use by another program: stop that, or choose another with --http-port."
        default: "\(error)"
        }
    }
}

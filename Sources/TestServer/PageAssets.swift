import Ingress

/// The page's files, built into the program.
enum PageAssets {
    static let all = [
        RoomHTTPService.Asset(path: "/", contentType: "text/html; charset=utf-8", body: PackageResources.index_html),
        RoomHTTPService.Asset(
            path: "/style.css", contentType: "text/css; charset=utf-8", body: PackageResources.style_css),
        RoomHTTPService.Asset(
            path: "/app.js", contentType: "text/javascript; charset=utf-8", body: PackageResources.app_js),
    ]
}

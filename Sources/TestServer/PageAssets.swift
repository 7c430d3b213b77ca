import Ingress

/// The page's files, built into the program.
enum PageAssets {
    static let all =
        [
            RoomHTTPService.Asset(
                path: "/", contentType: "text/html; charset=utf-8", body: PackageResources.index_html),
            RoomHTTPService.Asset(
                path: "/style.css", contentType: "text/css; charset=utf-8", body: PackageResources.style_css),
        ]
        + [
            ("app", PackageResources.app_js), ("ui", PackageResources.ui_js),
            ("publish", PackageResources.publish_js), ("picture", PackageResources.picture_js),
        ].map { name, body in
            RoomHTTPService.Asset(path: "/\(name).js", contentType: "text/javascript; charset=utf-8", body: body)
        }
}

package struct WHIPOptions: Sendable {
    /// The path that stands for the app, such as `/whip`, without a slash at its end; nil: any single segment.
    package var basePath: String?
    /// Scheme and authority that clients reach this server by, such as `https://ingest.example.com`, without a slash at
    /// its end; nil: what their requests say.
    package var publicURL: String?
    package var iceServers: ICEServers
    /// Sessions at one time.
    package var maximumResources: Int
    /// Of them, those of one client address.
    package var maximumResourcesPerClient: Int
    /// POST requests of one client address: each costs an offer to read and a session to make.
    package var postRate: RequestRate
    /// All other requests of one client address.
    package var requestRate: RequestRate

    package init(
        basePath: String? = nil, publicURL: String? = nil, iceServers: ICEServers = .none,
        maximumResources: Int = 1_000, maximumResourcesPerClient: Int = 500,
        postRate: RequestRate = RequestRate(burst: 300, perSecond: 50),
        requestRate: RequestRate = RequestRate(burst: 200, perSecond: 50)
    ) {
        self.basePath = basePath
        self.publicURL = publicURL
        self.iceServers = iceServers
        self.maximumResources = maximumResources
        self.maximumResourcesPerClient = maximumResourcesPerClient
        self.postRate = postRate
        self.requestRate = requestRate
    }
}

package import Bytes

/// One key of the configuration: the decoder, the printed configuration and the README's table are all made of these.
package struct ConfigurationKey: Sendable {
    package typealias Path<Value> = WritableKeyPath<IngressConfiguration, Value> & Sendable

    /// What may stand there, and where it goes.
    package enum Binding: Sendable {
        case flag(any Path<Bool>)
        case integer(any Path<Int>, ClosedRange<Int>)
        case number(any Path<Double>, ClosedRange<Double>)
        case text(any Path<String>)
        /// Never shown.
        case secret(any Path<String>)
        case texts(any Path<[String]>)
        case duration(any Path<Interval>, upTo: Interval)
        case ports(any Path<ClosedRange<UInt16>?>)
        case addresses(any Path<NodeAddresses>)
        case level(any Path<ConfiguredLogLevel>)
        case levels(any Path<[String: ConfiguredLogLevel]>)
    }

    /// With dots between the levels: `redis.tls.enabled`.
    package var name: String
    package var binding: Binding
    package var meaning: String
    /// In words, where the value itself does not say it.
    package var defaultWords: String?
    /// Whether SIGHUP changes it in a running daemon.
    package var isReloadable: Bool

    package init(
        _ name: String, _ binding: Binding, _ meaning: String, default words: String? = nil, reloadable: Bool = false
    ) {
        self.name = name
        self.binding = binding
        self.meaning = meaning
        defaultWords = words
        isReloadable = reloadable
    }
}

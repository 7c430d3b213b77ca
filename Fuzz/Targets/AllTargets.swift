/// Every target, by module.
package let allFuzzTargets: [FuzzTarget] =
    rtmpTargets + flvTargets + mediaTargets + sdpTargets + rtpTargets + rtpReceiverTargets + iceTargets + dtlsTargets
    + webRTCTargets + whipTargets + transcodeTargets + relayTargets + configurationTargets + redisTargets
    + psrpcTargets

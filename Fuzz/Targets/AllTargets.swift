/// Every target, by module.
package let allFuzzTargets: [FuzzTarget] =
    rtmpTargets + flvTargets + mediaTargets + sdpTargets + rtpTargets + iceTargets + dtlsTargets + webRTCTargets
    + whipTargets + transcodeTargets + relayTargets + configurationTargets
    + redisTargets + psrpcTargets

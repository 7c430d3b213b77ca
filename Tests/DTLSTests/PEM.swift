/// Self-signed test certificates for `localhost` and 127.0.0.1, valid for a hundred years; their keys protect nothing.
enum PEM {
    static let ecCertificate = Array(
        """
        -----BEGIN CERTIFICATE-----
        MIIBmzCCAUGgAwIBAgIUW38I3iDMlvbEmVzwFO36B3Nsm3cwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE0NTAyN1oYDzIxMjYxMDI5
        MTQ1MDI3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATFo+7xxzNIwBrmQjGnVkf1XXn7UTnt5Knfm6AX56VFrFWsr5maft0t
        CgDTYgf7oGFBIZKxlBfnEZLChaXIiXmdo28wbTAdBgNVHQ4EFgQUSMTlvf0ZPcPV
        E66e5xpyUOFTTl0wHwYDVR0jBBgwFoAUSMTlvf0ZPcPVE66e5xpyUOFTTl0wDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSAAwRQIgW5ZPFEtbyxKUxf+rIBGTD4mbjc62BShr83hMJO3agboCIQCA
        0OsdV2bhwWFgj/4CJ4eWKnDPugzCnYeqAaOUJWINeQ==
        -----END CERTIFICATE-----

        """.utf8)
    static let ecKey = Array(
        """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgy0IvFC3WzQrWcW7l
        oM7J/v2V6ZTW7Xod8slq1DzYZf2hRANCAATFo+7xxzNIwBrmQjGnVkf1XXn7UTnt
        5Knfm6AX56VFrFWsr5maft0tCgDTYgf7oGFBIZKxlBfnEZLChaXIiXmd
        -----END PRIVATE KEY-----

        """.utf8)
    /// P-256; the pass phrase is lost.
    static let encryptedKey = Array(
        """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjHjLQB5efh/wICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEMnZxRwrTcZWVoTBa2RLORgEgZDL
        soGNTWYm5b1OmPtUEL/LGrfbGY9IvLRw++T2HGrWhYVFtYUKyVStbLyZh7+0FFHE
        aYXU3dAobOe0Yev5zr3qKg6hcrf+I8IWKGCcegjpTp4jatvw1lF5iMVKsX87nYc0
        hFbemz3pmVRFSW1hSZ8nGz65zOiWjMfnfMMq2J5l6sKl5Lp+suUdHZL12tlzu3U=
        -----END ENCRYPTED PRIVATE KEY-----

        """.utf8)
    static let rsaCertificate = Array(
        """
        -----BEGIN CERTIFICATE-----
        MIIDJzCCAg+gAwIBAgIUcjhIrghZo80tw33HUaQENwax2OowDQYJKoZIhvcNAQEL
        BQAwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE0NTAyN1oYDzIxMjYx
        MDI5MTQ1MDI3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwggEiMA0GCSqGSIb3DQEB
        AQUAA4IBDwAwggEKAoIBAQDqDpfnyr4iVG4d1lDlPNnS9U+4Zk4CcEukDmDhRKbQ
        KsEKBDlJBh0aDC8a1nIUNmnv4+5DoJnl/gGny2pUG28nRtejl5U0HKFJosSH1W7F
        Z8gE9xmY59fXt5HBsxfTjQk2ZImJQkCODLStjm3TrUUMlt7lHMLMTTGLm8ZvU+oj
        f1LHLsOKXsQXAfqXwS6fK7I5JI2gyTlD98SflB8ueNC30M/yZxMOo30QmedewX4g
        SN7Br6MIhgjAr9j4I5qwO+5RBqrpKPtsa+mbypKYOYCa+RX7UwsA+urALdmyP6K7
        n9NyM0bWL5bJRBWD67xt9zi/93Lpsl7rX1RuqZtl8BdJAgMBAAGjbzBtMB0GA1Ud
        DgQWBBTeXT3ZgVmGCdAh6w5AHGD0ywqKMDAfBgNVHSMEGDAWgBTeXT3ZgVmGCdAh
        6w5AHGD0ywqKMDAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCCWxvY2FsaG9z
        dIcEfwAAATANBgkqhkiG9w0BAQsFAAOCAQEAMc0Crq9WVVqb/BzyH6TVrvlVTuvJ
        nghR/kbMB0ZSN5/gIjwBBNkfSiLh+x//9zBhfmHDRER+50gxLMHsD6qnGLEK0Sjd
        lsTFZr3vu491Ja321Mj6sR9YXv5kQrmVXTnsR7LNQzBAFGKAMSeneS447NQDb3Jx
        BxujDDQevyGVwt1vltgcIXvppwAEFi13nGoMrRVIWVgkGy4toVi4hfJH1leQrR1M
        h/lTqmAsN+9wJ5lXsqmuGRu2Nov1ZRdmqLUg3n/lrFPW18bs6haPKx6Bm3mYNqoc
        apvn+cf3PiVMabymkLcdMnypFxb6btd/M18oBvm2RJP/y0veifTSWwcZ9A==
        -----END CERTIFICATE-----

        """.utf8)
    static let rsaKey = Array(
        """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDqDpfnyr4iVG4d
        1lDlPNnS9U+4Zk4CcEukDmDhRKbQKsEKBDlJBh0aDC8a1nIUNmnv4+5DoJnl/gGn
        y2pUG28nRtejl5U0HKFJosSH1W7FZ8gE9xmY59fXt5HBsxfTjQk2ZImJQkCODLSt
        jm3TrUUMlt7lHMLMTTGLm8ZvU+ojf1LHLsOKXsQXAfqXwS6fK7I5JI2gyTlD98Sf
        lB8ueNC30M/yZxMOo30QmedewX4gSN7Br6MIhgjAr9j4I5qwO+5RBqrpKPtsa+mb
        ypKYOYCa+RX7UwsA+urALdmyP6K7n9NyM0bWL5bJRBWD67xt9zi/93Lpsl7rX1Ru
        qZtl8BdJAgMBAAECggEAAt7oDRiav12toxPh3yfHy0zyDg1kpFD7YZcOjpIZEov8
        fz0rqBmU6cMGINB0007Oi+0JigHWhA5BYoJbto2+DckwK1UDAeyAkmSWf93wecFT
        dW7ugTmOEyeS4vBUR8zR9Ow/hYlGcIVzNP7gopopKmW2uQ5ed5zJooe9X3HAwavH
        So+fLWkMRFMkhTvxQ4Lzf2Bx9Wmr6L3o95mdpFjcYOfvHOvWXlD8nvVKNXJpL/OM
        KUjfhVDC4kPmWf9b1E7PvzvyWf3hBsteKo7L/aGSyXj9fNguTxkfxd0dFq5UgV8s
        dEGofuPLgFwqgm077on+UHyJ4Aej9D+BhxKDRywlfQKBgQD2cM07pI6ZACwh6DCe
        kfvI4BTNrZhnCZgUZiA6oqtZF914jkBkYNWTNmAxlS8X0lLAsFUdb3VwolxDtoVb
        nf4VZdvP6rt+xAToNdTD8TzrQiCLy6o5wRcgIC7XwoWLh/e6u5ru0bgsfDy02Dh+
        eM9UEcU+x10vcQsZ2s4UOQlKlQKBgQDzItHz7/Q6QfBK3lRYERFgf58Il8WZBPQD
        NOYHMq9+0omFKRa5dVNRhPxoZpu/KtZ7pfubjNdElqdWjGDRoByXUthv7gASixJ0
        wnw48Qt4zUYROhFeP2K4daR6jVOOCs68ZF6+9NDuq6N2y/rvQk9yjdUMuLmWFdhe
        bJYsaGbg5QKBgG8HBw+15aC82SU1jKIENyGbAwRfD2hshB28nQyNuRDclaT4wb33
        eoFmYBQ2mA7tbObvConGa2yhWVwQYSiTl6NgTpXvtSU5ftR3XDIi/0Umd69DxJ9c
        hOSuWyxNsQjZ6xwv5W9vAMDaACehumIQX6gKkYjlHPCAx3WQhIPL5om5AoGBANA/
        gb7DRtdjRPKLbYikzdJuXQPaIxgGYw4gD+oYYrJol/tjDyC4Oi33js3JHRtnEKCF
        sXUw8+y+cQOzZvYFgpemENYF7y/yyFMThZyr8Rx+DcaRivDDr8W4lbGWPPvLi/lW
        qsQ6In5aqr8ExaCKlkvS6alkyyie+10c+p98qKl1AoGBAPJrbPdVsXXhgI17fA7p
        jaoA/vg0iCs4MAo9eKoCDQG961m7m3DPVKym6p7z/Kxe5SqD4OFmj+lRtxsavLo8
        7p0+sk6Ts7TqhmwWNV2plqw+kl2IaiQPXhDZHCdR9OlZG5BgmfkuWPLjmjQJ6arx
        7Q1Q0Q3EVw8DNu5XHpPqOTlx
        -----END PRIVATE KEY-----

        """.utf8)
}

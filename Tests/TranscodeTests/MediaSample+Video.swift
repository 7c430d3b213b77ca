// Tiny clips made with FFmpeg 5.1 from its own test sources, so that every decoder has met a real stream.

import Media

extension MediaSample {
    static let h264Reordered = MediaSample(
        codec: .video(.h264),
        record: "AWQACv/hABhnZAAKrNlGJsBEAAADAAQAAAMAyDxIllgBAAZo6+Dksiz9+PgA",
        frames: """
            AAABAaYAAAGiZYiEAN/TbH8nsP7FwWUtiAnHHjacxFxHeK9kluBW72WbpjEYyzVAyY59LvSPnRXxjtNC7EddT0fBv/BRt+8Z9OWF7t8ttt\
            e9Mhp4KIfwTSOPKTW9q8xtfgX4W4GQiqrjKOIV6wJBXTrRo1ifVVy7e/SOOGIdKD5T9JGuKAwtkzYowpQpPS/OZZ4XYNZ1RRHXjPw9v/1e\
            ZW6hmbAFG88kGwuJzjjreAARr9ik2UeptG1xRxkNpTt3oKGlR/3wfEX10bbar/q8/KkFAjjDZAuOke6qxFXjvh0Dj+BKZSX3OjGb0uR9xW\
            jUuYTx5Mi6+k9yXTe9xpVeL/Oh6ND8SzLRo1hoqJwnXOqn1zPO8O2CiPUVFKtG3fHoolYXZXBCxgtE5YdyfdGEct6/eLLIrXMv3IuQJp6S\
            V7b1RfbOKXIXk8+xuYkGkGwlmKlAPVlGCDlZa3jLcYcnlTaGd9xLEsZ0uDcGfalYFIlhP+UnXz1SgLeqoalfmjQ32fj5e3aooENzaqu21k\
            3o2+EpOz8JrXtqU5J0eaBP0uNRQSu1wisH2VQWgwB4AAAiAAAAHkGaI2xEf1TuxllmAV8d2R8XOPM/N7AQ51xlRdHxwAAoAAANAAAACUGe\
            QXiEv6tuywBQAAAMAAAACAGeYmpCn4aAAPAAACQAAAAgQZpmSahBaJlMCK9KPgAgx/X6lXkkPSGqc6tgMd46arkAoAAADgAAAApBnoRFES\
            wl/4SBAMgAAAwAAAAIAZ6lakKfhoEBaAAAHwAAABtBmqlJqEFsmUwI71js23SBShJakzM1HcZk0Y8BGAAADgAAAApBnsdFFSwl/4SAAUAA\
            AAwAAAAIAZ7oakKfhoABuAAAHgAAABpBmutJqEFsmUwUTCn/Zr404Yp2/OtAeSLfwQGQAAANAAAACQGfCmpCn5PcQA==
            """)
    static let h264TenBit = MediaSample(
        codec: .video(.h264),
        record: "AW4ACv/hABdnbgAKpssgxNgIgAAAAwCAAAAZR4kTJAEABmjrwOSyLP36+gA=",
        frames: """
            AAABAcQAAAHAZYiEJ1MrT3/9nnxXM0pnlJuUhmHD+zOvPHnLb+Gz/dex2tEyqyvHtbFM15JJiFZ98pDQUvEB2uX/gop/GjbzxGBkKCUyeG\
            2EX6wCRtr+YGRpuPn+FPCpwq5raVMw/AzTukCHyJ8BgwoBiKPpkcxUi9MZ4CwwR6KNdQjMZ6OC7oCf8+eYZRYjCK1B7U3rQA5WP/+Vf6UM\
            7+E8jCAJkek/rX2pIxVWMFIFHyYaRGq1UdK1WP/pEEbLnomEj3CbvncgDIKkE+FS95K+hQfzeZR/3CfkiknpeDjY1R6lYaqb8BOBfp5yb8\
            zl6F1jYBpsZo5iMeSxY8GDTQZzlD/J61HCEXxZS9BXB/4UKOzE/dEZfBuZMEIe/tecVvqsg8vMpvkJcJYJgcokVGV+sAR8aGY/vHP0IdUX\
            sXfkUQyZ3Pi0npNTVFCE24E4fEi7gwczP2v57D45OJdpsVQ7w6qhPsEsaQMlmU1hUfi/woVLFERTeOdNWp57/OjgKmEft4UHX/DfvQ7OB6\
            jM7GsLVAPir9f7qmrqqVrtpJyr7y9ipX0XvwYCB8S+xBL1v4HHj8ES55pUNj9/zni21oppCZcEYlbW5QAoAAAiAAAAHkGaOx/OmgtJXM1N\
            RvSLBSRlo3wLBhZtAlRGXFFjgABQAAA1AAAAMUGaVME/7BtuGfID8jYy5SMI8SOXZf4SaJS635Ci8orc6T8JbtRmb3KeYcTpRNP4E1kAeA\
            AArAAAAKhBmmYCL//XvcDsLTv6vvL5xH69BCXOlAMUWLsxdj4WCh6hGNvXfQYcAmGEknjcZJ69a+wyRpJOEMqUpuneij7ON/pl/mgp/8At\
            AvwHaxgav00yyzDvyZOGTh1wtLfR8VQTEz5QTsYu8n3G3K76onTaelx+MukGaIjUWMgCyzfVM0sLbMApRHSa9t6BtbSe6R47gIZGhe1GhK\
            FfXxG61a0h2WHVRmDM04A=
            """)
    static let h264Dense = MediaSample(
        codec: .video(.h264),
        record: """
            AfQACv/hABhn9AAKkZZBibARAAADAAEAAAMAMo8SJkgBAAdo68DkRIRA//j4AA==
            """,
        frames: """
            AAABAh8AAAIbZYiEN9NsgMUf2LgspbBcXYbg2/y//svkcw/wR1mR2+LT9KVb2W4qlDX85jxJ5wVw4Q3LimKX33pvoQR1yO+2zd+InNLaVy\
            PUMGmesZ97H7bOK2VvjxFs+UD2nkdRhorLVN5N/L+cPD2eLowy1B5E76T9lUBxmYREaANKzwd1CrBKYUiKKESP7W+wAJMJBak9DVfGouXd\
            mzdB1/KQY3gJ4Fy2SmeSWVLA4oY/jWCZ6q3k988drGuLszHoFsYFCNueGl5HAOxpJWUUJzw5D6UbG97PxDhCcm4BHtCPEtngPITRC06bUN\
            17ob16yCHJ6NsXtGcewQLxdaAIoBoAZiZeKfhvZtOFcg9vRAeozK1daBxqpzruuIALPLCc8n9EwvDNFaV5Y0fJt9EVWdFmrDg5jAC3245c\
            xkMGanoUg0s/7bGjNtVgjDCtYbCf2tceOzy1Gu//tQmJRwYfNXOnWuBTq0qWqHzgi6QREc/vEFLU5T5j/BKq25LvlY+G89cn6WiNrT5FbT\
            ZXCFznC1E42XiRo3L4EokrZ5FSwqplR1FXjhLeJ4+mrlgW1Tym7S4E6Ue/zuWHnQW/BSfN6XZAdjtwb9xllN8PiEOBRAeMI3rTJgVxfYWX\
            /PFl7TwSBhTllv0oBQvMOq9twL0/sKyHDbl/PfljpgRSaHJJbza2A0bAT5tEv++ejY5IL4xgEic8/h6umSHE1Z8QjvvizcEAKAAAMwAAAC\
            9BmjsV/8sMpakf/gXJ1Wn5qnGoFvN5NGYCh+0Z8o1fLWdSvZXfILe9MhmoWEAasABQAABhAAAAXUGaTwhkymEv2MIpPr3BY9SnoS8z2gmJ\
            3FukOxuNi92kV27LAwJXa12So41tXDeenho0wjCSBhO51vSJkOZkiAXS8C92My6d4pkP1krYCx8JIJyVX+9+udIZnPXsAQB4AACaAAAAlk\
            GacnhDyZTAif/CGzsCSXmg813+loJG3JNJpnNvnatAX3QMfBoWOTaJAA+bHlE6KFL69QYpk13hFsYbsQ/PS/0zLHOEllcO59pDTrTUwAzn\
            rn7lylLNqShsbOuMbdXPUXbjqD13zs8w1Mwa89r1tAz+XbgTlbXgW5L/C9yS3JPHrzdtXRDkxelxlS1yCOEDLU6ZLpwv9g==
            """)
    static let h264FullRange = MediaSample(
        codec: .video(.h264),
        record: "AWQACv/hABdnZAAKrLIMTYC2QAAAAwBAAAAMo8SJkgEABmjrwRLIsP34+AA=",
        frames: """
            AAABACcAAAAjZYiEBL/+9q78yyv6C5UuHVl7s1HsMX/mzUgC1Lmng9FWLV0AKAAADwAAAAtBmjsQW//+qZZaQABQAAASAAAADkGaTwhkym\
            EF//6qVR5RAHgAABMAAAAPQZpyeEPJlMCC//6qVR5Q
            """)
    static let h264WidePixels = MediaSample(
        codec: .video(.h264),
        record: "AWQACv/hABhnZAAKrLIMTYcIAAADAAgAAAMBlHiRMkABAAZo68Dksiz9+PgA",
        frames: """
            AAABAb8AAAG7ZYiEJ1MrT3/9nnxXM0pnlJuUhmHD+zOvPHnLb+Gz/dex2tEyqyujr8YKZrySTEKz75SGgpeIDtcv/BRT+NG3niMDIUEpk8\
            NsIv1gEjbX8wMjTcfP8KeFThVzW2EZh+BmndIETRQSRdFqus/4UY1NiM9JzTGeBl1nrYTVY4j16MC8FZPs0tmL794TTCK1B7o3rP/6Cx/9\
            I/yfkn3DXZkDy2rAd618IBW1lSEicG4cK4yvzWFcqsf+4o980Pn8r6j3CwTA0Ha4KmHyzGNdOfWltDwle3JK8Hh5qv8x/qQDs6XS8OBLtB\
            7RjtODekT9pvLbgmKM3HCeLp2w3YcS94Pjzl+s/5iP49lhsXFFhBGRsSPutSrLFnCmVFZY/k1+LKxZA+pF9j4wIpQXu1JD6mj8DZO/YaC7\
            /SiCHeXO/f4A0EJkQdmfTy9XcGFeZ+1wJ5ttVwXgngiPGie+mXl/aOTdws1wjv+oj9NAEv6kVDhKJSeS4nunv9iVSRBw3hik0+bs4iyHJY\
            RYdale2G4Aw4sqsIEWf+rY23qtn0L34MBA2JfYgl631uvy+bSolxZWqHhK07/ET9FDR4FMic0AKAAAHwAAABtBmjsfzpjITHGX51xjBTkM\
            oI1BPB+DMVRIHLAAUAAAPgAAADpBmk8IZMphP+wbbhmZyx4El/V2+Tj24j3ICLPe/6KtlEIG4YgA+YPYxQrwros5ODlOW6I02bEhfp7hAH\
            gAAKsAAACnQZpyeEPJlMCL/+i3lSMaXEbP9h5r9tETBZSyRl1QDFQhSzVJKRsG2oR7bvxGrEZj0Uf76hQ6/eSUkwczvlK92yNj9/+dcjIn\
            91JTjylsDpI6iF+192b5vrPNjsSJGcC8MyTT0qahopoJPWV3kYJn8Mj3xfHbj/YiUkM4mA7jQ/eQMb0RWEj5mgdi2L/eD8JNGDsEPTk9Se\
            EgPma/rN4h+LE73eWGFPg=
            """)
    static let h264Interlaced = MediaSample(
        codec: .video(.h264),
        record: "AWQAFf/hABZnZAAVrOQZNgIgAAADACAAAAZT4oVJAQAGaPuA5LIs/fj4AA==",
        frames: """
            AAABAb4AAAG6ZYiCLCdNfX9//Z58VzNKZ5SblIZhw/szrzx5y2/hs/3XsdrTHVVPAHTg/slbeBNAb6M8xsiff7udxxXtOi4JBJ2ehrZpxT\
            rrUG1DgaMi8gbUVP6Zm+oSlC24GiLIgkKwDXH4dC+fr+0bF4AymK+HSpuj+rl6HPC1m9jety38cyPR0s1GT5diIkWvybcfQhzA6qKvfU1w\
            V9PGJ7QmbY4j8S8xnxeCR0LCW2j7t67mjK3P62YfwN+OpdHbfIOuldoEtMcVzAM80IqE2tt/3SP8mZJ9w77Eqkfq00CstzC/m6DT5OqbdM\
            N8e1i5oEkvydlOyfuFfAm2T4EkHIH07wVUz+I5xA7a/vPhkolZ8zhvRf5YVGNU3T59qBK1lYSRaOPakJHt1jGRQ7tN4FNmcAnrLaQ5BmZu\
            D4MfKi7G3cpAfU7+juJnljFSSEiQ1CCKxi6E6g0lkMTa0Xo0y/R75gV9zdpm6jR6eIne5e8d8cmbpeLPL5zLixYP9K6WvvSh7T81Sxe8Fr\
            33qFzH2kZs7HOTZeEnJl9tZFGC5v3YE3v0e6EYuWdArz+qfR86DHphf6uNrzD0rM9VwkphHQAoAAApAAAAJUGaI3n/WwGGHgSZab6QS99D\
            2Tn3rG5kQMoYF0jdz0a1GWQT+NAAUAAAMAAAACxBmkV0T//ge0xM1Z1zEwx/lDNUIvi7UwapQ9lzkwHvWihf1FzozdtckTrdwQB4AACcAA\
            AAmEGaZ2Iv/9cIcOWd2kPxEksqt/s+UmyjhyIHZed18Lb0LEfeneWE94vkbbc3hYZioqerd3QmV2Hh3MAQV2v/zGmem7+NNAkD9x5225dl\
            SZEC6gGLo9D7jFLEhzAJCKoCoUOjRPPtxFUMUzQdk+IBHXgjJ+vAm9CR9pJJjxBp+Efbc2+ivoo4krLFlY+GlLmxU8jLMHeRiUUQ
            """)
    static let hevc = MediaSample(
        codec: .video(.hevc),
        record: """
            AQFgAAAAkAAAAAAAHvAA/P34+AAADwOgAAEAGEABDAH//wFgAAADAJAAAAMAAAMAHpKAkKEAAQApQgEBAWAAAAMAkAAAAwAAAwAeoDCBBZ\
            ZKkkyvAWgIAAADAAgAAAMAyECiAAEAB0QBwXK0IkA=
            """,
        frames: """
            AAABAcwAAAHIKAGvC2DLh5c8f/4T4vHURxKaF11Mu5CjafCbeRX4UB52waBBaBXsCj9QqrJw6J+6/yImb2IIOUkBYV52wUp47EHuW6WASv\
            KHYiyWv/7RJZcPP5oBvT/tnNkMg+sFOYgMOqQeXmDEn8T8eqvO7Xr1tR0RsV1I7Y960LczXRwHby8QcqxRfUbeDrQS2R13D4pUphFbBeOW\
            hL7gfE8f+cqCzhNATA30BaM8jrXZJLsGunR6Uf0jYeTkOPlzdW0Yv67G/S9qHLsFaseyo+Je7jlu8pkfXm2cgU62JryhztkiiFSv69TkMh\
            hjtRNUYBRk5TIiH02c6AB0hiCvjuQ/pln1Vy8u/PEbNBTK+7M8wLBe4udPkr6yvR9Sw/nSaJLUIMINnct9J/NiUw6knmdON+3NPHEsQ03+\
            +FHwqI/ClgRTuT7uTH4DCMiGdnoOVeXeFj8rsl4HC5/XpaASuc9eNEBbO2kg+bIBm83Fi0/W84ZsKT/MtI5NBOH3W2PShJRwOlcFs1d4Rt\
            o4IU2OwZJ+Xkj0aQyzairpG4xC0JRJM7ngz1A9qKPtfQKqJBeoVncibmp4cGSzCcZe0Ic/5VaKe+g9tFVtAWlWcyWAACgAACEAAAAdAgHQ\
            CX4QxhbAMf2xRR3n0yTK3+XPk94FtQx0zDAAUAAAKwAAACcCAdAR/9RDBhBAYJLdUajgN9FCfCoGnJLSJtTZIZbb//hHB9tCh8AAeAAANw\
            AAADMCAdAYn/3EMBjEVov5HXyupaQ9hLjMqc93jvgJrZ4Hu6kXpT+XZ/EmozyxMztzODqeKUw=
            """)
    static let av1 = MediaSample(
        codec: .video(.av1),
        record: "gQAMAAoKAAAAAy3/za+QBA==",
        frames: """
            AAABBDkKCgAAAAMt/82vkAQyqggQAJWAFFFFEggg3StX/XEUbCetxNrV6qzI+PjBi3Cm9TC1jwnkEr3+FEqMLU/nQy79WdtYWJKDab0waF\
            xQnmaCAvoh6bBG2YUaaZk98BCdAJS5pET537opCWj6uTGzFddLpTzV8eFOQXEO5Ak7Hb7n+hZieKOT28SYi6k0U2hkjlUOV7P6pBQtUd4g\
            Ih8ICk397n6NPcUCXG22q2ALk2R/CWwELNTwTI4aEb51VAooweU+DHMek7EpUk8/JrPUht7IcDtUdihlB9tASEt15glbhKukMqoGuV1Wsg\
            8OY4LZH2tcMcWiyJX3FlwYMngK67g1FwpxPRqxHPL914jYjgbzzDOZ5tLxZ9b8x1c0ynI3mxs8xLZ+xeJnlF6j/czXvkVdVK3ErorFq2rd\
            35X9Q+l9AO7h3Afn8HgzOkT8YlPpeU6rFyc5xMKpNcTjxl8ronXVYMAa1fcHuHrFy4Dq5Ykt+MsT5T0pJYk+8K9jFfLLB3JeiudYXSXiPQ\
            fEGjIw5RIm40gXAsFoBsPFyvvjggX/uwVq/JJBkUuZ1mWcJ4sMtzUIlkO34EA9K1D6Lm6irVlm64q2NMYm/rVrKX5CJk8LQbkx4IrIFQxh\
            tzPTshu0q629WVKJ3KVYHMON35lpHOymd82YwvXkr+Ijqkv//76N2NFWm4kJjOczT3YkGwr0VuZ6QPpxv+tlcYKWUToFnC53u3c6jx/DKz\
            MY0pi9QSEbKItiuY69skqnVf+/5bh2D4iN/ENs61Fw0FFxnFQH6geq8tEbZpp7moTJhT4tClC4XdVV3ekLpFMQQmFy+XIDcB0GuOWAvnI3\
            xHJSXrUZgc+PJCn24cjbTffyhX5vgJG9cjzkKgl0LF6Tyw3P0dKBXkc/GmF+yt+RLvJXx4qR8DyZxgdG6Xj/vyx9AZT3reggsjinet4MAp\
            0iEfhiD0XSeglL96epVvM8eCYZRmnvM0ReFuo9mXL21YHxuKljwR1i1MK/k3o9NyxaQc+lWaLUJEaPt2DZEq1aLP1IlzvN3UoG7rvi0CeZ\
            zihNGLQ4Cb+f0fYF2yfSqkRqQxJEC+pYPVUIcAiQh1+GNhl6MuRG7ZPF+BFE/gtvZfX79IalSvL6rMH7DbwcTxzIp1sDo1qdU400LIt++9\
            HZ55KH11Yhkskv9kSxorMtJwxXyhA+f58wdh9g7fqRtTWJAx3aXRrCma5kjcs0YsAf1tXvEV4R6zAPLax6zvajmsxQOykaqw6Bt8PrTrHf\
            2de2zw6l6/DgovfHwnQ+LSw0lDKXjHa9rRUl2CrzXtS81mucs8nD+W/MKZhJx8mUXOqM/7FmXBsJaMbJcLGnoTmp0buk6GDW5NfEb2lUxs\
            pySCAgpQdQIzwyWY76lESz65StknTuZtSPPSSbnZSqtguAQwK0Vq5HjeMjh/MI3qKJaOhAACgAABYyFDADgID9+AayAIIIIBYaQQDN5nEK\
            AFAAABwyGjAEAQV9+AayAIIIIBYaRQDNlqGRVsD8kCAIAHgAACEyHzAGAgn9+AayAIIIIBYaRQDKxw/Y4E5RqaRY7hx0+ig=
            """)
    static let vp9 = MediaSample(
        codec: .video(.vp9),
        record: nil,
        frames: """
            AAABAtuCSYNCAAXwA/YSOCQcGPYAApB8sP6/j/kxJ6L9nqLgUPDwD9fzvT+r9d6+sBwPSpbmcJQ7vH4nugAAAH5NfWyqhxm3Z9/GDxT+sW\
            9nccy+ip4eoTTmHs5XpvtmvtoeERUMhvm/MojF4l7a7Sk02ZNwqY2BLiOUyw1YH2+Tn1TdMNOqt2P/n+EYjcTIr5KqMjYCWrB2O4QVUcvY\
            ANzCHtIEeCQZk0PsyDbiGup/gCjYw3QBzDKf0tNSD7XQ/DHrw3Hxo4M7ZB20E0JtAMgy0l2x5vjR4s4UZoA/9h/I1SaVa5KBUXU9VU/KP+\
            E7GZXqNxcvTmrBeiUpENnDAefniPh6upP8/aKbWl5f51QDWceICUTc/rm04LOTLEgrhNwoeobJzSn7cnuYZoESSTOylAoJZb5F6maPl+cE\
            3Jwhv1iv7ampCIN5rVj7GnhIBr5+tt6iqqWrlh8e/zY8d2wUf6wAIZatck4vG9zazwZe/Cc1uoexPQzTZM1MIZZHgibhWixSSzZYYc2sks\
            jfab7Ok2mM94Nz1NgPzT4gyR/y/mX9PMNb2ik0v/datdlPBvt9KA2e4uL8qyRXqaz+y1Krn3Vzlrj1NnFrc5rVUFUJa9JZNOO5w82Dz/EA\
            tC+hMgK0R+1tl+qJea/ICbMKXnY3Ic2NIf00TNbT88twvHGWiOLBCT12BQ/R0t0FKzrtWzu1PkXERNhSqH2rf/Rxn//rv6ieGYB9q+mGkR\
            oAZ7Tee/kkpG8Jm2YjJptDF7pV7R+2HOz+orMeA8EK9KPM85PYH8mkvRNkXPU8M3p04kLi271AzfXccL99/f5x6WCP+boGAEvuS2Fi/1IF\
            9US2p67ltlef5bTWH4QHVvQX7YqFAgsPA2zYCyuUYSV6N675EQWmRtyO2D06cENvh1MPhWkrLtEf7tCHhhxSe9A2B/o5IgflofjzYHoqWp\
            Z+IwNMwDDZlw1J+jeQgYf6/m/AAAAoAAAQhgBAkhxEWQAAA2AAAFj2AABQAAAZhgBAkpwIWAAAA2AAAHpDE5mK7MfP40BeYAB4AAAahgBA\
            khwUWQAAA2AAAHpJBuLImoBTymjr0+A=
            """)
    static let sorensonH263 = MediaSample(
        codec: .video(.sorensonH263),
        record: nil,
        frames: """
            AAABA00AAIQAMCAaG4gYj8REYuEEUA/6j0Xu4MnuXDserVUv8PPN/voCrcxPA/H+DrzbNWG5UlNNdS1Vo//fvlwDRK8JCoSPeBUqaBmgcE\
            AmapQ+EVELylKHwioheU8/zcUJAMDC+Rgwv89vpWQ+EVEL9KyHwioheM/NOwkAwP35GDCwT2OReS8fM+QDgFebkVFQH/p/j3AEEfqxK+JH\
            1VBgvzYx+Ac5Qua5Y/ERGLuuqANVKFH5B1dSSjdhI/rg8w47fL4P6B/zX8KuxE9uIQYB6tSJP/MF3lUbXHduMNyA0gEIV9BgfkIYMH9/Bh\
            f4M4r5pkEgGB+/IwYWCezqmqqarhWYdwYBuBggYGEfAaYDapQ+EVELylKHwioheU8/zcUJAMDC+Rgwv89vpWQ+EVEL9KyHwioheM/NOwkA\
            wP35GDCwT2WRUZFLhcCiLi/FYIdBQD3qsRfqgQwUVo8nL8RAOMYeUC+5hC4gwDkXAfA93MHpaAQ1XR+qHoQhLTeHs5oGtpbN9pL1mI+EVE\
            L+t3+bnBIBgYXyMGF/ntxCvoMD8hDBg/v4ML/BmIRoQ1SgIZe0B2KlfEcup7+WkMT80yiQDA/fkYMLBPZ1TVVNVurMO4MA3AwQMDCPgNMB\
            tUofCKiF5SlD4RUQvKeb5uJEgGBhfIwYX+e30rIfCKiF+lZD4RUQvGvmnYSAYH78jBhYJ7HIqk+CiLh8o/B4Cg1WOh4DAgv1VuDsejtQOg\
            OMxSo6ekVFQL5uELoDAORfS4ELM6PWwaQCamI+EVEL+tTVqx4JAk/6I2TG5fjqVFX9bv83OiQDAwvkYML/Pe3AF1wBY4PFQGPIHIA/Li7g\
            HFTIiQkVFQ/hNZDwELym3Tz8R1G6GLx9g79OMxYbFSQ045FoNFwvANnrlLqMoGCSqLlRcrA2Pd5OX19my6RuZajUx9713fRhiEpwB5UCmV\
            AQdRF4B/qCkoyS1QQff9Pjy9InxoBSaAVkqfgZo1pR8rV9Hf2GaSvasGAD1YMF+eQPVgQ4P/qJMPvN3rD4Ye/Az9C9vLy9RyCOMKKgGUu7\
            S/yB8KJIlK1KpV4d0vUgSUZtqY65ZVm+H6tXMz/2WaSbIIZeDBfisCNFsgXHK1WAZ/374ezhGAAoAAAQAACEBDAgOj//72PUlx6kmABQAA\
            AXAACECDAgOj//8bLWIQ8GQ/Oxsq9IBbgAeAAAHwAAhAwwIDo///GyislHO97xe4bF8zUgZdNDnc6Hhe8=
            """)
    static let screenVideo = MediaSample(
        codec: .video(.screenVideo),
        record: nil,
        frames: """
            AAABAE0wYDBAACZ42u3CwQkAAAwDodt/50LXyEOxLlVVVVVVVVVVVVVVdfsDhVLQ4gAfeNrtwgEJAAAMBKHr33mwHo9iXaqqqqqq6tYHsy\
            /oagAoAAAIMGAwQAAAAAAAUAAACDBgMEAAAAAA
            """)
    static let screenVideo2 = MediaSample(
        codec: .video(.screenVideo2),
        record: nil,
        frames: """
            AAABAD0wYDBAAAAcEHja7cExDQAAAMOgv/4Fz8cCFAAAAPBuqwCgAQAYEHja4+IaBaNgFIyCUTAKRsFIAwBCwFABACgAAAkwYDBAAAAAAA\
            AAUAAACTBgMEAAAAAAAA==
            """)
    /// Two spatial layers, 80x48 and 160x96, made with libvpx 1.12.
    static let vp9Layers = MediaSample(
        codec: .video(.vp9),
        record: nil,
        frames: """
            AAABAI6CSYNCAATwAvgE+AL+MDgkHBlAAAAgQABrQ/+3o7xqk5VVyHd4JJQtyO4GdPv+1ZsfC4iibta402iB/tWmQTpQB8tdf+lA8E7eFUcPj/\
            YVJwCGAICAAE+AL6clFYgAAUBwRlIAAAC03+6wAAAAAAAAAAAABrHYBu2zibmQxHFGxP07pS9F3zaey+DBUTnBACgAAGOGAEADAJ8AX5zMWIAA\
            A3AAAHTSGNT3G04061fFaD8VfZOghgCICpzMWIAABX0eAAAAJttzrVpXn5k3IeqMdaRge23vu2pzjrl9CkdXUf0NeTEBp1xtNaTch6ot5nt9oM\
            EiPcEAUAAAXIYAQAsAnwBfnMxYgAADcAAAdin8WxaV72U7zteLzGq4DXSGAIgKnLRXoAADcAAAJsWYJgmCYHLcRYR8+hf0j59C/gPEKb3eJXF4\
            eHcW1FT8XEVz4RHTlEDBIjbB
            """)
    /// High profile without usability information, so that nothing says that no picture is reordered; a byte stream.
    static let h264Plain = MediaSample(
        codec: .video(.h264),
        record: nil,
        frames: """
            AAABAJQAAAABZ2QACqzkEeQAAAABaOvgTSyLAAAAAWWIhAEfMg1/+T9VH+xAhmpnXF6VIb8nYCzuCfzsbp2kRy/L0oQ01vLJIONbE6Hx2UmbcO\
            +v+W/iB/TK9vaFcjFH1C8AerjrXTJNAwtfOxPkarlQR2BVAOt/Qp3BJWXpkSaKmlqbCwfFfep+gPMzecfkaZU881REyUzBACgAABEAAAABQZol\
            sRH/qv8kEmItgABQAAAZAAAAAUGaSPCGTKYRH6CAFZ5++/ZS8v2hgQB4AAAXAAAAAUGabSeEPJlMCI/iNTGiFkT893AAoAAAGwAAAAFBmpEnhD\
            yZTAiv8kAbAd5ict/y0yLKNwDIAAAWAAAAAUGatSeEPJlMCK+1nBxgbatCCQ==
            """)
}

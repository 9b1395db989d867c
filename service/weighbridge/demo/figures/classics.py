"""node, golang and nginx as they were in January 2018, with their true totals."""

from typing import Final

from weighbridge.demo.content.recipe import ImageRecipe, RecipeStep, step
from weighbridge.demo.figures.alpine import ALPINE_3_5, ALPINE_3_6

_LISTS: Final = "rm -rf /var/lib/apt/lists/*"
_APT: Final = "apt-get update && apt-get install -y --no-install-recommends"
_YARN: Final = (
    "for key in 6A010C5166006599AA17F08146C2130DFD2497F5; do gpg --keyserver"
    ' pgp.mit.edu --recv-keys "$key"; done && curl -fSLO --compressed'
    ' "https://yarnpkg.com/downloads/$YARN_VERSION/yarn-v$YARN_VERSION.tar.gz"'
    " && tar -xzf yarn-v$YARN_VERSION.tar.gz -C /opt"
)
_NODE: Final = (
    'curl -SLO "https://nodejs.org/dist/v$NODE_VERSION/'
    'node-v$NODE_VERSION-linux-$ARCH.tar.xz" && tar -xJf'
    ' "node-v$NODE_VERSION-linux-$ARCH.tar.xz" -C /usr/local --strip-components=1'
)


def _image(base: ImageRecipe | None, *steps: RecipeStep) -> ImageRecipe:
    return ImageRecipe(steps=steps, base=base, dialect="classic", style="docker")


def _root(
    at: str, file: str, compressed_bytes: int, uncompressed_bytes: int
) -> ImageRecipe:
    return _image(
        None,
        step(at, f"ADD file:{file} in /", compressed_bytes, uncompressed_bytes),
        step(at, 'CMD ["bash"]'),
    )


DEBIAN_JESSIE: Final = _root(
    "2017-12-12T01:41:12Z",
    "1dd78a123212328bdc72ef7888024ea27fe141a72e24e0ea7c3c92b63b73d8d1",
    52_599_697,
    123_400_000,
)
DEBIAN_STRETCH: Final = _root(
    "2017-12-12T01:44:20Z",
    "eb2519421c9794ccc99d483c07f59ba305531bc9b4dc294e74d2ddb7de69e52a",
    45_121_631,
    100_100_000,
)
DEBIAN_STRETCH_SLIM: Final = _root(
    "2017-12-12T01:44:43Z",
    "f30a8b5b7cdc9ba33a250899308b490baa9f7a9b29d3a85bd16200aa0a28a04a",
    22_485_719,
    55_300_000,
)

_JESSIE_CURL: Final = _image(
    DEBIAN_JESSIE,
    step(
        "2017-12-12T07:49:00Z",
        f"RUN {_APT} ca-certificates curl wget && {_LISTS}",
        19_266_203,
        44_600_000,
    ),
)

NODE_8: Final = _image(
    _JESSIE_CURL,
    # gpg was there already: a RUN that changes nothing makes no layer.
    step(
        "2017-12-12T07:49:01Z",
        f"RUN set -ex; if ! command -v gpg > /dev/null; then {_APT} gnupg dirmngr;"
        f" {_LISTS}; fi",
    ),
    step(
        "2017-12-12T07:49:30Z",
        f"RUN {_APT} bzr git mercurial openssh-client subversion procps && {_LISTS}",
        43_253_338,
        123_000_000,
    ),
    step(
        "2017-12-12T07:50:30Z",
        f"RUN set -ex; {_APT} autoconf automake bzip2 dpkg-dev file g++ gcc"
        " imagemagick libbz2-dev libc6-dev libcurl4-openssl-dev libdb-dev"
        f" libevent-dev libffi-dev make patch xz-utils zlib1g-dev; {_LISTS}",
        134_968_174,
        320_500_000,
    ),
    step(
        "2017-12-12T13:01:42Z",
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell"
        " /bin/bash --create-home node",
        4_424,
    ),
    step(
        "2017-12-12T13:05:58Z",
        "RUN set -ex && for key in 94AE36675C464D64BAFA68DD7434390BDBE9B9C5"
        ' FD3A5288F042B6850C66B31F09FE44734EB7990E; do gpg --recv-keys "$key"; done',
        117_628,
        340_000,
    ),
    step("2018-01-03T19:06:25Z", "ENV NODE_VERSION=8.9.4"),
    step("2018-01-03T19:06:32Z", f"RUN ARCH=x64 && {_NODE}", 18_508_716, 59_640_000),
    step("2018-01-03T19:06:32Z", "ENV YARN_VERSION=1.3.2"),
    step("2018-01-03T19:07:11Z", f"RUN set -ex && {_YARN}", 1_010_359, 4_940_000),
    step("2018-01-03T19:07:11Z", 'CMD ["node"]'),
)

NODE_8_SLIM: Final = _image(
    _JESSIE_CURL,
    step(
        "2017-12-12T13:13:39Z",
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell"
        " /bin/bash --create-home node",
        117_626,
        340_000,
    ),
    step("2018-01-03T19:35:32Z", "ENV NODE_VERSION=8.9.4"),
    step(
        "2018-01-03T19:35:48Z",
        f"RUN buildDeps='xz-utils' && ARCH=x64 && {_NODE}",
        18_809_486,
        57_400_000,
    ),
    step("2018-01-03T19:35:48Z", "ENV YARN_VERSION=1.3.2"),
    step("2018-01-03T19:35:52Z", f"RUN set -ex && {_YARN}", 1_010_356, 4_940_000),
    step("2018-01-03T19:35:52Z", 'CMD ["node"]'),
)

NODE_8_ALPINE: Final = _image(
    ALPINE_3_6,
    step("2018-01-10T00:18:49Z", "ENV NODE_VERSION=8.9.4"),
    step(
        "2018-01-10T00:36:34Z",
        "RUN addgroup -g 1000 node && adduser -u 1000 -G node -s /bin/sh -D node &&"
        " apk add --no-cache libstdc++ && apk add --no-cache --virtual .build-deps"
        " binutils-gold curl g++ gcc gnupg && ./configure && make && make install",
        19_702_694,
        59_200_000,
    ),
    step("2018-01-10T00:36:48Z", "ENV YARN_VERSION=1.3.2"),
    step("2018-01-10T00:36:57Z", f"RUN set -ex && {_YARN}", 1_017_974, 4_930_000),
    step("2018-01-10T00:42:15Z", 'CMD ["node"]'),
)

_GO_PATHS: Final = (
    step("2018-01-23T22:46:05Z", "ENV GOPATH=/go"),
    step("2018-01-23T22:46:05Z", "ENV PATH=/go/bin:/usr/local/go/bin:/usr/bin:/bin"),
    step(
        "2018-01-23T22:46:06Z",
        'RUN mkdir -p "$GOPATH/src" "$GOPATH/bin" && chmod -R 777 "$GOPATH"',
        125,
    ),
    step("2018-01-23T22:46:06Z", "WORKDIR /go"),
)
_GO_WRAPPER: Final = step(
    "2018-01-23T22:46:07Z",
    "COPY file:ea7c9f4702f94a0df05f60648914e97f7876c4a7c5163e7870dd98fa896ff722"
    " in /usr/local/bin/",
    1_369,
)

GOLANG_1_9: Final = _image(
    DEBIAN_STRETCH,
    step(
        "2017-12-12T07:54:08Z",
        f"RUN {_APT} ca-certificates curl wget && {_LISTS}",
        11_107_352,
        23_700_000,
    ),
    step(
        "2017-12-12T07:54:15Z",
        f"RUN set -ex; if ! command -v gpg > /dev/null; then {_APT} gnupg dirmngr;"
        f" {_LISTS}; fi",
        4_335_420,
        9_600_000,
    ),
    step(
        "2017-12-12T07:54:45Z",
        f"RUN {_APT} bzr git mercurial openssh-client subversion procps && {_LISTS}",
        50_022_829,
        135_200_000,
    ),
    step(
        "2017-12-12T11:21:00Z",
        f"RUN {_APT} g++ gcc libc6-dev make pkg-config && {_LISTS}",
        57_499_152,
        162_400_000,
    ),
    step("2018-01-23T22:45:50Z", "ENV GOLANG_VERSION=1.9.3"),
    step(
        "2018-01-23T22:46:03Z",
        'RUN set -eux; url="https://golang.org/dl/go${GOLANG_VERSION}.linux-amd64'
        '.tar.gz"; wget -O go.tgz "$url"; tar -C /usr/local -xzf go.tgz; rm go.tgz',
        105_820_016,
        303_970_000,
    ),
    *_GO_PATHS,
    _GO_WRAPPER,
)

GOLANG_1_9_ALPINE: Final = _image(
    ALPINE_3_6,
    step(
        "2018-01-09T22:26:52Z",
        "RUN apk add --no-cache ca-certificates",
        350_993,
        660_000,
    ),
    step("2018-01-23T22:59:10Z", "ENV GOLANG_VERSION=1.9.3"),
    step(
        "2018-01-23T22:59:10Z",
        "COPY multi:5340852d126c59a835fc30c4253b181919d512298cbb0226c1562e4ec4eba94c"
        " in /go-alpine-patches/",
        1_117,
    ),
    step(
        "2018-01-23T23:00:13Z",
        "RUN set -eux; apk add --no-cache --virtual .build-deps bash gcc musl-dev"
        " openssl go; cd /usr/local/go/src; ./make.bash; apk del .build-deps",
        80_253_462,
        264_600_000,
    ),
    *_GO_PATHS,
    _GO_WRAPPER,
)

_NGINX_END: Final = (
    step("2018-01-10T04:10:13Z", "EXPOSE 80/tcp"),
    step("2018-01-10T04:10:13Z", "STOPSIGNAL [SIGTERM]"),
    step("2018-01-10T04:10:14Z", 'CMD ["nginx" "-g" "daemon off;"]'),
)

NGINX_1_13: Final = _image(
    DEBIAN_STRETCH_SLIM,
    step("2017-12-12T05:14:40Z", "LABEL maintainer=NGINX Docker Maintainers"),
    step("2017-12-26T18:14:42Z", "ENV NGINX_VERSION=1.13.8-1~stretch"),
    step("2017-12-26T18:14:42Z", "ENV NJS_VERSION=1.13.8.0.1.15-1~stretch"),
    step(
        "2017-12-26T18:16:59Z",
        "RUN set -x && apt-get update && apt-get install --no-install-recommends"
        " --no-install-suggests -y gnupg1 nginx=${NGINX_VERSION}"
        " nginx-module-njs=${NJS_VERSION} gettext-base",
        21_954_152,
        53_180_000,
    ),
    step(
        "2017-12-26T18:17:00Z",
        "RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr"
        " /var/log/nginx/error.log",
        204,
    ),
    *_NGINX_END,
)

NGINX_1_13_ALPINE: Final = _image(
    ALPINE_3_5,
    step("2018-01-10T04:08:56Z", "LABEL maintainer=NGINX Docker Maintainers"),
    step("2018-01-10T04:08:56Z", "ENV NGINX_VERSION=1.13.8"),
    step(
        "2018-01-10T04:10:11Z",
        "RUN GPG_KEYS=B0F4253373F8F6F510D42178520A9993A1C052F8 && ./configure"
        " --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx --with-http_ssl_module"
        " && make -j$(getconf _NPROCESSORS_ONLN) && make install",
        5_174_358,
        12_840_000,
    ),
    step(
        "2018-01-10T04:10:12Z",
        "COPY file:af94db45bb7e4b8ff4e699f1ff6f41c348f9876073ad91d6e803070415f8d9ce"
        " in /etc/nginx/nginx.conf",
        494,
    ),
    step(
        "2018-01-10T04:10:13Z",
        "COPY file:1d1ac3b9a14c94a709efa20da1c4268a931f1a234e782801ce5912fdcf53a7af"
        " in /etc/nginx/conf.d/default.conf",
        626,
    ),
    *_NGINX_END,
)

"""No build secret gets past the one function that hides them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text import masking
from weighbridge.domain.text.masking import is_secret_name, mask

CANARY = "canary7Zq91LmX0"
LONG = "Zq91LmX0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"|1 PIP_INDEX={CANARY} /bin/sh -c pip install -r requirements.txt",
        f"RUN |1 PIP_INDEX={CANARY} /bin/sh -c pip install # buildkit",
        f"|2 A=some words {CANARY} B={CANARY} /bin/bash -o pipefail -c make",
        f"|1 A={CANARY} make all",
        f"|1 A={CANARY} cmd /S /C dir",
        f"|1 A={CANARY}",
        f"|1 A=some words {CANARY} bash -c make",
        f"RUN |2 A=some {CANARY} B={CANARY} bash -eo pipefail -c make # buildkit",
        f"/bin/sh -c #(nop)  ENV DB_PASSWORD={CANARY}",
        f"/bin/sh -c #(nop)  ENV A=b DB_PASSWORD=two words {CANARY} C=d",
        f"ENV SECRET_KEY {CANARY}",
        f"ARG NPM_TOKEN={CANARY}",
        f"ENV API_KEY={CANARY} PATH=/bin",
        f'RUN export GITHUB_TOKEN="{CANARY}" && make',
        f"RUN NPM_TOKEN='{CANARY} {CANARY}' npm ci",
        f"RUN deploy --password={CANARY} --user me",
        f"RUN deploy --api-key {CANARY}",
        f"RUN docker login --token {CANARY} registry.example",
        f"RUN curl -u me:{CANARY} https://files.example/a",
        f"RUN curl -H 'Authorization: Bearer {CANARY}' https://a.example",
        f'RUN curl -H "Authorization: Custom x {CANARY}" https://a.example',
        f"RUN curl -H Authorization:{CANARY} https://a.example",
        f'RUN curl -H "X-Api-Key: {CANARY}" https://a.example',
        f"RUN curl -fsSLu me:{CANARY} https://files.example/a",
        f"RUN curl 'https://a.example/x?sv=2020&sig={CANARY}'",
        f"RUN curl https://a.example/x?X-Amz-Signature={CANARY}&b=1",
        f'CMD ["serve","--password","{CANARY}"]',
        f'CMD ["serve" "--password" "{CANARY}"]',
        f"RUN serve -token {CANARY}",
        f"RUN keytool -import -storepass {CANARY} -file a.pem",
        f"RUN TOKEN=$'{CANARY}' make",
        f'RUN TOKEN=$"{CANARY}" make',
        f"RUN TOKEN+={CANARY}",
        f"RUN curl -H 'PRIVATE-TOKEN: {CANARY}' https://a.example",
        f'RUN echo \'{{"auth_token": "{CANARY}"}}\' > config.json',
        f'RUN echo "{{\\"password\\":\\"{CANARY}\\"}}" > config.json',
        f"RUN git clone https://me:{CANARY}@git.example/a.git",
        f"RUN pip install -i https://{CANARY}@pip.example/simple x",
        f"ENV DATABASE_URL=postgres://app:{CANARY}@db/app",
        f"RUN curl https://a.example/x?access_token={CANARY}&b=1",
        f"RUN echo ghp_{LONG}{CANARY}",
        f"RUN echo github_pat_{LONG}{CANARY}",
        f"RUN echo glpat-{LONG}{CANARY}",
        f"RUN echo whsec_{LONG}{CANARY}",
        f"RUN echo wbr_{CANARY.ljust(43, 'x')}",
        f"RUN echo dckr_pat_{LONG}{CANARY}",
        f"RUN echo xoxb-{LONG}{CANARY}",
        f"RUN echo npm_{LONG}{CANARY}",
        f"RUN echo pypi-AgEI{LONG}{CANARY}",
        f"RUN echo eyJhbGciOiJIUzI1NiJ9.eyJ{LONG}.{CANARY}",
        f"RUN echo '-----BEGIN RSA PRIVATE KEY----- {CANARY} "
        "-----END RSA PRIVATE KEY-----' > k",
        f"RUN echo -----BEGIN OPENSSH PRIVATE KEY-----\\n{CANARY} {CANARY}",
        f"RUN curl -d x https://hooks.slack.com/services/T000/B000/{CANARY}",
    ],
)
def test_a_secret_is_hidden(text: str) -> None:
    masked = mask(text)

    assert CANARY not in masked
    assert "***" in masked


def test_the_key_of_an_account_is_hidden() -> None:
    assert mask("RUN aws AKIAABCDEFGHIJKLMNOP s3 ls") == "RUN aws *** s3 ls"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "|2 A=x y B=z /bin/sh -c make install",
            "|2 A=*** B=*** /bin/sh -c make install",
        ),
        ("ENV A=b DB_PASSWORD=c d E=f", "ENV A=b DB_PASSWORD=*** E=f"),
        (
            'RUN curl -H "X-Token: a b" -d "x" https://a.example && ls',
            'RUN curl -H "X-Token: ***" -d "x" https://a.example && ls',
        ),
        ('RUN sh -c "a && TOKEN=b c" && ls', 'RUN sh -c "a && TOKEN=*** c" && ls'),
        (
            "RUN git clone https://me:x@a.example/b",
            "RUN git clone https://***@a.example/b",
        ),
    ],
)
def test_what_surrounds_a_secret_stays_readable(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ENV GPG_KEY=0D96DF4D4110E5C43FBFB17F2D347EA6AA65421D",
        "ENV DB_PASSWORD_FILE=/run/secrets/db",
        "ENV TOKENIZERS_PARALLELISM=false",
        "RUN --mount=type=secret,id=npm TOKEN=$(cat /run/secrets/npm) npm ci",
        'RUN curl -H "X-Token: $TOKEN" https://a.example',
        "RUN NPM_TOKEN=${NPM_TOKEN} npm ci",
        "RUN gpg --keyserver keys.example --recv-keys ABCD && echo monkey=1",
        "RUN docker login --password-stdin registry.example",
        "RUN useradd -u 1000 app && docker run -u 1000:1000 x",
        "RUN wget https://a.example/b@1.2.tgz",
        "COPY a|b /c",
        'CMD ["python" "app.py"]',
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("GITHUB_TOKEN", True),
        ("dbPassword", True),
        ("SSH_PRIVATE_KEY", True),
        ("api-key", True),
        ("MYSQL_PWD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("GPG_PRIVATE_KEY", True),
        ("PWD", False),
        ("KEYSERVER", False),
        ("PGP_PUBLIC_KEY", False),
        ("SECRET_FILE", False),
        ("PATH", False),
    ],
)
def test_a_name_tells_whether_its_value_is_secret(name: str, is_secret: bool) -> None:
    assert is_secret_name(name) is is_secret


PIECES = st.sampled_from(
    [
        *(
            "TOKEN=",
            "token:",
            "A=",
            "password",
            "--password ",
            "--key=",
            "ENV ",
            "ARG ",
        ),
        *("|1 ", "|2 A=x ", "RUN ", "/bin/sh -c ", "#(nop) ", "cmd /S /C ", " ", "  "),
        *("'", '"', "\\", '\\"', "$", "$(", "${X}", "`", ",", ";", "&", "|", ")", "}"),
        *("https://", "://", "@", "me:", "-u ", "authorization:", "Bearer ", "basic "),
        *("ghp_", "AKIA", "A" * 16, "a" * 20, "eyJ", ".", "***", "x", "\n", "é"),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
    ]
)


@given(st.lists(PIECES | st.text("_-.aK =", max_size=5), max_size=25).map("".join))
def test_no_name_of_a_secret_is_missed_by_looking_at_words_with_a_hint_only(
    text: str,
) -> None:
    names = [*masking._NAMED.finditer(text), *masking._OPTION.finditer(text)]
    secret = {found.start() for found in names if is_secret_name(found[1])}

    assert secret <= set(masking._hinted_words(text))


@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = mask(text)

    assert mask(masked) == masked


@given(
    st.sampled_from(["|1 A={} /bin/sh -c x", "ENV PASSWORD={}", "RUN TOKEN='{}' x"]),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4),
)
def test_no_value_survives_where_only_the_name_is_known(form: str, value: str) -> None:
    value = f"<{value}>"

    assert value not in mask(form.format(value))


@pytest.mark.parametrize(
    "piece",
    [
        *("a", " ", "=", '"', "token=", 'token="', 'token="$(', "eyJ", "://a:", "@"),
        *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "|1 A=b ", "authorization: "),
        *("bearer ", "--token ", "-u a", "\\", "powershell -a ", "/bin/sh ", "xoxa-"),
    ],
)
@pytest.mark.parametrize("start", ["", "|9 A=b ", "ENV "])
def test_hostile_text_takes_no_more_than_linear_time(start: str, piece: str) -> None:
    # A quadratic pattern would take minutes for this, not a part of a second.
    masked = mask(start + piece * (200_000 // len(piece)))

    assert mask(masked[:2000]) is not None

"""Which parts of a text are secrets, by how they are written: the rules of `masking`."""

from typing import Final, NamedTuple

MASK: Final = "***"

#: Keys of what is secret, and how such keys may end.
SENSITIVE: Final = (
    *("(?:access|refresh|id|csrf|xsrf)?[-_]?tokens?", "api[-_]?keys?", "key", "secrets?"),
    *("client[-_]?secret",),
    *("(?:access|secret|account|app|private|encryption)[-_]?key(?:[-_]?id)?",),
    *("connection[-_]?string", "pw", "(?:user|db|login|admin|new|old)pass", "passwort"),
    *("mdp", "senha", "contrase(?:n|ñ|%C3%B1)a", "bearer", "refresh", "remember(?:[-_]?me)?"),
    *("code[-_]?(?:verifier|challenge)", "(?:login|token)[-_]?hint", "magic"),
    *("(?:g-)?(?:re|h)?captcha[-_]?response", "aspsessionid[a-z]{0,16}"),
    *("logged[-_]in[-_][a-z0-9]{1,40}", "pass(?:w(?:or)?d|phrase|code)?", "pwd", "auth"),
    *("authorization", "authentication", "sess(?:ion)?(?:[-_]?id)?", "sid"),
    *("(?:j|php|asp)sess(?:ion)?id", "jwt", "code", "signature", "sig", "hmac"),
    *("credentials?", "creds?", "otp", "totp", "mfa", "pin", "ssn", "cvv", "cvc"),
    *("card(?:[-_]?number)?", "iban", "cookies?", "set-cookie", "saml(?:request|response)"),
    *("assertion", "nonce", "state", "ticket", "e?mail"),
)
ENDINGS: Final = (
    *("token", "secret", "password", "passwd", "passphrase", "apikey", "accesskey(?:id)?"),
    *("secretkey", "accountkey", "credential", "signature", "sessionid"),
)
#: What may follow a sensitive word in a key: password_confirmation, passwordHash, token2.
_SUFFIX: Final = "[-_.]?(?:confirm(?:ation)?|repeat|again|new|old|hash|value|[0-9]{1,4})"
_KEY: Final = (
    r"(?:[A-Za-z0-9]{1,40}[-_.]|%5[Bb]|\[){0,8}"
    rf"(?:[A-Za-z]{{0,20}}(?:{'|'.join(ENDINGS)})s?|{'|'.join(SENSITIVE)})(?:{_SUFFIX})?(?:%5[Dd]|\])?"
)
_START: Final = r"^|[^A-Za-z0-9]|(?:%(?:25){0,2}|\\x|\\u00)[0-9A-Fa-f]{2}"
_LINK: Final = r"(?:=|:|%(?:25){0,2}3[AaDd]|\\x3[AaDd])"
#: A quotation mark, as it is and as URLs, nginx, JSON and HTML write it.
_ESCAPED_QUOTE: Final = r"(?:\\x22|\\u0022|&quot;|&#34;)"
_QUOTE: Final = rf"""(?:\\?["']|%(?:25){{0,2}}22|{_ESCAPED_QUOTE})"""

#: Each sensitive key has one of these in it.
WORDS_OF_KEYS: Final = (
    *("token", "key", "secret", "string", "pw", "pass", "mdp", "senha", "contrase", "bearer"),
    *("refresh", "remember", "code", "hint", "magic", "captcha", "sess", "logged", "auth", "sid"),
    *("jwt", "sig", "hmac", "cred", "otp", "mfa", "pin", "ssn", "cvv", "cvc", "card", "iban"),
    *("cookie", "saml", "assertion", "nonce", "state", "ticket", "mail"),
)

#: In a path, before a secret.
_BEFORE_SECRETS: Final = (
    *("/token", "/reset", "/password", "/invit", "/verify", "/confirm", "/activate", "/magic"),
    *("/secret", "/api", "/session", "/unsubscribe"),
)


class MaskRule(NamedTuple):
    """What is replaced by what; Rust syntax.

    What the pattern matches has one of each group of `needs`, in lower case: a pattern is compiled
    anew each time, which takes far longer than to look whether a few texts need it.
    """

    needs: tuple[tuple[str, ...], ...]
    pattern: str
    replacement: str


#: Applied in this order.
RULES: Final = (
    MaskRule(
        (("-----begin ",),),
        r"(?s)-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|$)",
        MASK,
    ),
    MaskRule(
        (("://",), ("@",)),
        r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^/?#\s@\"']{1,512}@",
        f"${{1}}{MASK}@",
    ),
    MaskRule(
        (("//",), ("@",)),
        r"(^|[\s\"'=(])//[^/?#\s@\"':]{0,256}:[^/?#\s@\"']{1,256}@",
        f"${{1}}//{MASK}@",
    ),
    MaskRule(
        (("%40", "%2540"),),
        (
            r"(?i)(%(?:25)?3A(?:%(?:25)?2F|/){2})"
            r"(?:[a-z0-9._~!$'()*+,;=-]|%(?:25)?(?:2[1-9a-e]|3[a-f])){1,256}(%(?:25)?40)"
        ),
        f"${{1}}{MASK}${{2}}",
    ),
    MaskRule(
        (("authorization",),),
        (
            rf"(?i)({_START})((?:proxy-)?authorization\s*:\s*)"
            r"(?:digest|oauth|hawk|signature|mac|hmac[a-z0-9-]*|aws4[a-z0-9-]*)\s[^\r\n]*"
        ),
        f"${{1}}${{2}}{MASK}",
    ),
    MaskRule(
        (("cookie",),),
        rf"(?i)({_START})((?:set-)?cookie2?\s*:\s*)[^\"'\r\n]+",
        f"${{1}}${{2}}{MASK}",
    ),
    MaskRule(
        ((r"\x22", r"\u0022", "&quot;", "&#34;"), WORDS_OF_KEYS),
        rf"(?i)({_START})({_KEY})({_ESCAPED_QUOTE}\s*:\s*{_ESCAPED_QUOTE}).*?({_ESCAPED_QUOTE}|$)",
        f"${{1}}${{2}}${{3}}{MASK}${{4}}",
    ),
    MaskRule(
        (("<", "&lt;", "%3c"), WORDS_OF_KEYS),
        rf"(?i)((?:<|&lt;|%3C)(?:[a-z0-9_.-]{{1,40}}:)?{_KEY}(?:\s[^<>]{{0,200}})?(?:>|&gt;|%3E))[^<&%]+",
        f"${{1}}{MASK}",
    ),
    MaskRule(
        (('"', "'"), WORDS_OF_KEYS),
        rf'(?i)({_START})({_KEY}\\?["\']\s*:\s*)(?:\\?"(?:[^"\\]|\\.)*"?|\[[^\]]*\]?)',
        f'${{1}}${{2}}"{MASK}"',
    ),
    MaskRule(
        (("authorization",),),
        (
            rf"(?i)({_START})((?:proxy-)?authorization\s*{_LINK}\s*)"
            r"(?:[A-Za-z]{3,12}(?:\s+|%20|\+))?[^\s&;,\"'<>]+"
        ),
        f"${{1}}${{2}}{MASK}",
    ),
    MaskRule(
        (("=", ":", "%", r"\x3"), WORDS_OF_KEYS),
        rf"(?i)({_START})({_KEY}{_QUOTE}?\s*{_LINK}\s*{_QUOTE}?)[^&;,\s\"'<>]+",
        f"${{1}}${{2}}{MASK}",
    ),
    MaskRule(
        (("bearer", "basic", "digest", "negotiate", "token"),),
        r"(?i)\b(bearer|basic|digest|negotiate|token)(\s+|%20|\+)[A-Za-z0-9._~+/=-]{6,}",
        f"${{1}}${{2}}{MASK}",
    ),
    MaskRule((("eyj",),), r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", MASK),
    MaskRule(
        (("akia", "asia", "agpa", "aida", "aroa", "anpa"),),
        r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{12,}",
        MASK,
    ),
    MaskRule(
        (("gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_"),),
        r"\bgh[opsur]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}",
        MASK,
    ),
    MaskRule(
        (("glpat-", "npm_", "hf_"),),
        r"\bglpat-[A-Za-z0-9_-]{12,}|\bnpm_[A-Za-z0-9]{16,}|\bhf_[A-Za-z0-9]{16,}",
        MASK,
    ),
    MaskRule((("xox", "xapp-"),), r"\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}", MASK),
    MaskRule(
        (("hooks.slack.com",),),
        r"(hooks\.slack\.com/services/)[A-Za-z0-9/_-]+",
        f"${{1}}{MASK}",
    ),
    MaskRule(
        (("sk_", "pk_", "rk_", "whsec_", "sk-"),),
        r"\b(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{12,}|\bsk-[A-Za-z0-9_-]{16,}",
        MASK,
    ),
    MaskRule(
        (("aiza", "ya29.", "sg."),),
        r"\bAIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{8,}|\bSG\.[A-Za-z0-9_.-]{20,}",
        MASK,
    ),
    # In a path, what follows such a word and is no word itself.
    MaskRule(
        (_BEFORE_SECRETS,),
        (
            r"(?i)/(tokens?|reset|password-?reset|reset-?password|invites?|invitations?|verify|confirm"
            r"|activate|magic|magic-?link|secrets?|api-?keys?|sessions?|unsubscribe)"
            r"/(?:[^/?\s\"]*[0-9][^/?\s\"]*|[^/?\s\"]{16,})"
        ),
        f"/${{1}}/{MASK}",
    ),
)

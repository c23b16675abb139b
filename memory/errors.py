"""The one tree of exceptions. What a user can mend exits with 2; everything else is ours and exits with 1.

V2RError
├── BadInput            a clip, file, name or option the user gave cannot be used         exit 2
│   ├── BadClip         the clip cannot be read, or shows nothing that can be followed
│   ├── BadKeypoints    the keypoint file cannot be read or mapped
│   ├── BadReward       the reward file breaks the contract
│   └── RunExists       the run folder is already there
├── MissingPart         an optional part (model file, package, GL library) is not installed  exit 2
└── AuthorFailed        the author (language model) gave nothing usable; the lap records it  exit 1
"""


class V2RError(Exception):
    """Carry one sentence that says what is wrong and one, `cure`, that says what to do about it."""

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what if not cure else f"{what} {cure}")
        self.what, self.cure = what, cure


class BadInput(V2RError):
    """Something the user gave cannot be used."""

    exit_code = 2


class BadClip(BadInput):
    """The clip cannot be read, or shows nothing that can be followed."""


class BadKeypoints(BadInput):
    """The keypoint file cannot be read, or its names cannot be mapped."""


class BadReward(BadInput):
    """The reward file breaks the reward contract."""


class RunExists(BadInput):
    """The run folder is already there and will not be overwritten."""


class MissingPart(V2RError):
    """An optional part is not installed here."""

    exit_code = 2


class AuthorFailed(V2RError):
    """The author gave nothing that can be used."""

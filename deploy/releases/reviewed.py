"""What the lint of migrations finds and a person has looked at, each with the reason why it may stay."""

NO_ONE_BEFORE = "part of the first release: nothing older runs beside it"

REVIEWED: dict[tuple[str, str], dict[str, str]] = {
    ("logistics", "0002_every_carrier"): {"NOT_NULL": NO_ONE_BEFORE, "docstring": NO_ONE_BEFORE},
    ("logistics", "0005_corrected_carrier"): {"NOT_NULL": NO_ONE_BEFORE},
    ("notifications", "0002_lanes"): {"NOT_NULL": NO_ONE_BEFORE},
    ("notifications", "0003_settlement"): {"NOT_NULL": NO_ONE_BEFORE},
    ("notifications", "0004_webhook_lanes"): {"NOT_NULL": NO_ONE_BEFORE, "DROP_COLUMN": NO_ONE_BEFORE},
    ("notifications", "0005_sms_code_address"): {"NOT_NULL": NO_ONE_BEFORE},
    ("orders", "0002_every_carrier"): {"NOT_NULL": NO_ONE_BEFORE, "docstring": NO_ONE_BEFORE},
}

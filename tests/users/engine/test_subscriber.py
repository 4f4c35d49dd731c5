from users.engine.subscriber import MINIMUM_CONFIDENCE, RiskProfile


def test_the_bolder_the_profile_the_lower_its_bar() -> None:
    assert {str(profile): MINIMUM_CONFIDENCE[profile] for profile in RiskProfile} == {
        "low": 0.70,
        "medium": 0.55,
        "aggressive": 0.40,
    }

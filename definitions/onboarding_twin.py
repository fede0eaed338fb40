"""The onboarding canvas in Python: the same as onboarding.yaml, with another name and for another event."""

from journeys import (
    ActionPath,
    ActionPaths,
    Canvas,
    Conversion,
    DecisionSplit,
    Delay,
    Exit,
    ExperimentPath,
    ExperimentPaths,
    Message,
    Reentry,
    Schedule,
    UserUpdate,
    attribute,
    days,
    event,
    message,
)

onboarding_twin = Canvas(
    name="onboarding-twin",
    description="Welcome people who have signed up, and see what makes them buy.",
    schedule=Schedule(event="signed_up_by_python"),
    reentry=Reentry(after=days(30)),
    exits=[Exit(message="unsubscribed")],
    conversions=[Conversion(name="bought", event="order_completed", within=days(14), revenue="total")],
    steps=[
        Message(id="welcome", channel="email", template="onboarding/welcome"),
        Delay(id="settle", duration=days(1)),
        ActionPaths(
            id="reaction",
            within=days(3),
            paths=[
                ActionPath(name="liked", triggers=[event("article_liked"), message.clicked(step="welcome")])
            ],
            otherwise=[UserUpdate(id="quiet", attributes={"quiet_start": True})],
        ),
        DecisionSplit(
            id="runner",
            when=attribute("sport") == "running",
            steps=[Message(id="running_tips", channel="email", template="onboarding/running")],
            otherwise=[Message(id="general_tips", channel="email", template="onboarding/general")],
        ),
        Delay(id="rest", duration=days(2)),
        ExperimentPaths(
            id="offer",
            within=days(14),
            paths=[
                ExperimentPath(
                    name="ten",
                    weight=50,
                    steps=[Message(id="ten_off", channel="email", template="onboarding/ten")],
                ),
                ExperimentPath(
                    name="none",
                    weight=50,
                    steps=[Message(id="no_offer", channel="email", template="onboarding/none")],
                ),
            ],
        ),
    ],
)

"""SNS asks to confirm a subscription, or says that one has ended."""

from __future__ import annotations

import json

import pytest

from handler.events import Ignored, read_message, read_notifications

TOPIC = "arn:aws:sns:eu-central-1:123456789012:uploads"
LINK = (
    "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn="
    f"{TOPIC}&Token=2336412f37fb687f"
)


def test_request_to_confirm_a_subscription_is_ignored_with_what_to_do() -> None:
    event = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": TOPIC,
        "SubscribeURL": LINK,
    }

    assert read_message(json.dumps(event)) == [
        Ignored(
            f"SNS asks to confirm the subscription to the topic {TOPIC}, which announces "
            f"no uploads until then: to confirm it, open {LINK}",
            None,
            needs_action=True,
        )
    ]


def test_end_of_a_subscription_is_ignored_with_what_to_do() -> None:
    event = {"Type": "UnsubscribeConfirmation", "TopicArn": TOPIC, "SubscribeURL": LINK}

    [result] = read_notifications(event)

    assert isinstance(result, Ignored)
    assert result.needs_action
    assert result.reason.startswith(f"SNS ended the subscription to the topic {TOPIC},")


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/?Action=ConfirmSubscription",
        "https://sns.eu-central-1.amazonaws.com.example.com/?Token=1",
        "https://sns.evil.example/x.amazonaws.com/?Token=1",
        "http://sns.eu-central-1.amazonaws.com/?Token=1",
        f"{LINK}\x1b[2J",
        None,
        7,
    ],
)
def test_link_that_does_not_lead_to_aws_is_not_logged(link: object) -> None:
    event = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": "x\n",
        "SubscribeURL": link,
    }

    [result] = read_notifications(event)

    assert isinstance(result, Ignored)
    assert result.reason.endswith("to confirm it, subscribe again")
    assert "the topic unknown," in result.reason


@pytest.mark.parametrize(
    "name", ["SubscriptionConfirmation", "UnsubscribeConfirmation"]
)
def test_confirmation_that_invokes_the_function_is_read_alike(name: str) -> None:
    message = "You have chosen to subscribe to the topic."
    event = {
        "Type": name,
        "TopicArn": TOPIC,
        "SubscribeURL": LINK,
        "Message": message,
    }

    results = read_notifications(
        {"Records": [{"EventSource": "aws:sns", "Sns": event}]}
    )

    assert results == read_notifications(event)

"""What AWS's own service model of ECR (botocore, data/ecr/2015-09-21) says of questions
and answers: members, their types, and what is required."""

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator


def fault_in_question(action: str, question: object) -> str:
    """What is wrong, "" for nothing."""
    return _fault(question, _model().operation_model(action).input_shape)


def fault_in_answer(action: str, answer: object) -> str:
    """The same of what the replica itself says. Times are numbers on the wire."""
    return _fault(answer, _model().operation_model(action).output_shape)


@cache
def _model() -> ServiceModel:
    loaded = Loader().load_service_model("ecr", "service-2", "2015-09-21")
    return ServiceModel(loaded, "ecr")


def _fault(value: object, shape: Any) -> str:  # Any: botocore has no types
    report = ParamValidator().validate(value, shape)
    return str(report.generate_report()) if report.has_errors() else ""

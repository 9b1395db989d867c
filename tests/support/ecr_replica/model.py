"""What AWS's own service models of ECR and ECR Public (botocore, data) say of questions
and answers: members, their types, and what is required."""

from functools import cache
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

_VERSIONS: Final = {"ecr": "2015-09-21", "ecr-public": "2020-10-30"}


def fault_in_question(action: str, question: object, service: str = "ecr") -> str:
    """What is wrong, "" for nothing."""
    return _fault(question, _model(service).operation_model(action).input_shape)


def fault_in_answer(action: str, answer: object, service: str = "ecr") -> str:
    """The same of what the replica itself says. Times are numbers on the wire."""
    return _fault(answer, _model(service).operation_model(action).output_shape)


@cache
def _model(service: str) -> ServiceModel:
    version = _VERSIONS[service]
    return ServiceModel(
        Loader().load_service_model(service, "service-2", version), service
    )


def _fault(value: object, shape: Any) -> str:  # Any: botocore has no types
    report = ParamValidator().validate(value, shape)
    return str(report.generate_report()) if report.has_errors() else ""

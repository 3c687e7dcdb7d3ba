"""Texts for models, made from templates (Jinja2) in its sandbox. Pure.

Used in the server for built-in capsules and in a capsule's own process for others; it imports
nothing of Kari but the skill. Jinja computes what is constant in a template when it compiles it, of
any size and for any time, so the server only parses those that are not its own.
"""

from collections.abc import Mapping

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from servers.capsules.skill import SkillError

LONGEST = 400_000
"""Characters of a rendered text: more than any model reads."""
LONGEST_TEMPLATE = 100_000
"""Characters: what a template becomes when it is parsed takes a hundred times its size."""


class Prompts:
    """The templates of one capsule, by name. They may include each other as `name.j2`."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._templates = dict(templates)
        # With its name as the name of a file an error tells the line.
        files = {f"{name}.j2": (text, f"{name}.j2", None) for name, text in templates.items()}
        self._environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(files.get),
            undefined=StrictUndefined,
            autoescape=False,  # what is made is text for a model, never a page
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, prompt: str, values: Mapping[str, object]) -> str:
        """The text with values in it. A value is data, whatever is written in it. SkillError,
        naming file and line where there is one, if it cannot be made."""
        if prompt not in self._templates:
            raise SkillError(
                "REASON_CAPSULE_FAILED", f"the manifest has no {prompt} among its prompts"
            )
        try:
            text = self._environment.get_template(f"{prompt}.j2").render(values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise SkillError("REASON_CAPSULE_FAILED", _told(prompt, error)) from error
        if len(text) > LONGEST:
            raise SkillError(
                "REASON_CAPSULE_FAILED", f"prompts/{prompt}.j2 became longer than {LONGEST}"
            )
        return text

    def first_error(self) -> str:
        """The first template that is none, with file, line and what is wrong; empty if all can be
        parsed. Nothing of a template is computed, so those of strangers may be looked at."""
        for name, text in sorted(self._templates.items()):
            if len(text) > LONGEST_TEMPLATE:
                return f"prompts/{name}.j2: is longer than {LONGEST_TEMPLATE} characters"
            try:
                self._environment.parse(text, f"{name}.j2", f"{name}.j2")
            except TemplateSyntaxError as error:
                return _line(name, error)
            except RecursionError:
                return f"prompts/{name}.j2: is nested too deeply"
            except ValueError:
                return f"prompts/{name}.j2: has a number that is too long"
        return ""

    def first_uncompiled(self) -> str:
        """The first template that cannot be compiled, told as above; empty if all can be. Computes
        what is constant in them: those of strangers are compiled in their jail alone."""
        for name in sorted(self._templates):
            try:
                self._environment.get_template(f"{name}.j2")
            except TemplateSyntaxError as error:
                return _line(name, error)
            except (SyntaxError, RecursionError, ValueError) as error:
                return f"prompts/{name}.j2: {type(error).__name__}"
        return ""


def _line(name: str, error: TemplateSyntaxError) -> str:
    return f"prompts/{error.name or name} line {error.lineno}: {error.message}"


def _told(prompt: str, error: Exception) -> str:
    where = f"prompts/{prompt}.j2"
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(".j2"):
            where, line = f"prompts/{trace.tb_frame.f_code.co_filename}", trace.tb_lineno
        trace = trace.tb_next
    place = f"{where} line {line}" if line else where
    return (
        f"{place}: {error}"
        if isinstance(error, TemplateError)
        else f"{place}: {type(error).__name__}"
    )

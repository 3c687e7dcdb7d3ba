"""Capsules from outside the tree: each in a process of its own that can do nothing by itself."""

from tests.capsules.workshop import Workshop


async def test_a_capsule_from_outside_gives_its_result(workshop: Workshop) -> None:
    """And tells how far it has come, writes, warns and measures."""
    listed = await workshop.put(
        "hello",
        """
        await skill.progress("half way", 0.5)
        await skill.write("one ")
        await skill.write("two")
        skill.warn("a warning")
        skill.measure("count", 3)
        return {"said": skill.input["text"], "text": skill.render("a", who="{{ 1 }}")}
        """.replace("        ", ""),
        'prompts = ["a"]',
        prompts__a_j2="Hello {{ who }}",
    )
    assert listed.available, listed
    finished = await workshop.run("hello", {"text": "x"})
    print(finished)
    assert finished.success

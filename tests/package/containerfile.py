"""Reads a Containerfile, as far as ours goes: instructions, continued lines, comments, stages."""
import dataclasses
import json
import shlex


@dataclasses.dataclass
class Instruction:
    line: int
    name: str
    value: str

    def words(self):
        """Without the options that begin with --."""
        if self.value.startswith("["):
            return json.loads(self.value)
        return [word for word in shlex.split(self.value) if not word.startswith("--")]

    def option(self, name):
        for word in shlex.split(self.value):
            if word.startswith(f"--{name}="):
                return word.split("=", 1)[1]
        return None


@dataclasses.dataclass
class Stage:
    image: str
    name: str
    instructions: list

    def all(self, name):
        return [instruction for instruction in self.instructions if instruction.name == name]

    def only(self, name):
        found = self.all(name)
        if len(found) != 1:
            raise ValueError(f"stage {self.name or self.image}: {len(found)} times {name}, not once")
        return found[0]


def instructions_of(text):
    begin, pending = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        begin = begin if pending else number
        pending += line.strip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        name, _, value = pending.partition(" ")
        yield Instruction(begin, name, value.strip())
        pending = ""
    if pending:
        raise ValueError(f"line {begin}: the last line is continued")


def stages_of(text):
    stages = []
    for instruction in instructions_of(text):
        if instruction.name == "FROM":
            words = shlex.split(instruction.value)
            name = words[2] if len(words) == 3 and words[1] == "AS" else ""
            stages.append(Stage(words[0], name, []))
        elif not stages:
            raise ValueError(f"line {instruction.line}: {instruction.name} before FROM")
        else:
            stages[-1].instructions.append(instruction)
    return stages

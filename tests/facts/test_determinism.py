"""The environment variables that change what a program computes."""

from __future__ import annotations

from envsnap.facts import Looked, NotInTable
from envsnap.facts.determinism import Switch, Variable, names, switches, variable


def test_the_list_holds_what_changes_results() -> None:
    expected = {
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDA_VISIBLE_DEVICES",
        "LD_LIBRARY_PATH",
        "MKL_CBWR",
        "NVIDIA_TF32_OVERRIDE",
        "OMP_NUM_THREADS",
        "PYTHONHASHSEED",
        "PYTHONPATH",
        "TF_DETERMINISTIC_OPS",
        "XLA_FLAGS",
    }
    assert expected - names() == set()


def test_the_list_holds_nothing_that_names_a_person_or_a_secret() -> None:
    private = ("TOKEN", "SECRET", "PASSWORD", "_KEY", "USER", "HOME", "MAIL", "HOST")
    named = {name for name in names() for word in private if word in name}
    # These two hold a folder and a GPU list, of which HOME and USER are no part.
    assert named == {"PYTHONHOME", "PYTHONNOUSERSITE"}


def test_a_variable_tells_its_effect() -> None:
    answer = variable("PYTHONHASHSEED")
    assert isinstance(answer, Looked)
    assert answer.value == Variable(
        name="PYTHONHASHSEED",
        library="CPython",
        affects="order",
        effect="seed of str/bytes hashing: order of sets and of code which iterates them",
        values="random (default), or 0..4294967295; 0 turns randomisation off",
        holds="text",
    )
    assert answer.confidence == "high"


def test_a_variable_tells_what_its_value_gives_away() -> None:
    holds = {}
    for name in names():
        answer = variable(name)
        assert isinstance(answer, Looked)
        holds[name] = answer.value.holds
    assert {name for name, what in holds.items() if what != "text"} == {
        "CUDA_CACHE_PATH",
        "CUDA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "NCCL_TOPO_FILE",
        "PYTHONHOME",
        "PYTHONPATH",
        "ROCR_VISIBLE_DEVICES",
    }


def test_another_variable_is_not_in_the_table() -> None:
    assert variable("HOME") == NotInTable("Environment variable HOME", "determinism")


def test_a_switch_of_a_program_tells_what_it_decides_and_what_holds_without_it() -> None:
    assert switches("tensorflow")[0] == Switch(
        name="tf.config.experimental.enable_op_determinism",
        distribution="tensorflow",
        decides="determinism",
        effect="deterministic operations or an error",
        default="off",
    )
    assert [each.name for each in switches("torch") if each.decides == "determinism"] == [
        "torch.backends.cudnn.benchmark",
        "torch.backends.cudnn.deterministic",
        "torch.use_deterministic_algorithms",
    ]
    assert switches("idna") == ()

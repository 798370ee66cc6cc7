"""Check that tests notice mistakes that raise no error, such as a missing detach.

A mutant is the code with one text replaced. The script makes each mutant in a copy of the repository, and runs the
tests that are named for it in MUTANTS. If one of them fails, the mutant is killed; if all pass, it survives.
tests/mutate.py does the same with wrong derivatives.

    python tests/mutants.py              runs all mutants; exit status 1 if one survived
    python tests/mutants.py detach       runs the mutants whose description contains this word

Each text must be found exactly once in its file. If the code has changed, put the new text into MUTANTS.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mutants_of_values import ROWS

ROOT = Path(__file__).parent.parent
COPIED = "tinygan", "tests", "train.py", "sample.py", "evaluate.py", "pyproject.toml"


class Mutant(NamedTuple):
    mistake: str  # description in words
    file: str  # path below tinygan/
    text: str  # must be found exactly once in the file
    replacement: str
    tests: str  # tests of this mistake, separated by spaces; at least one must fail


MUTANTS = [
    Mutant(*row) for row in [
        # the game
        ("D's phase gets the graph of G: no detach", "gan/gan.py", "fake.detach()", "fake",
         "test_gan.py::test_both_phases_of_a_step_get_the_same_fake_images_and_only_one_gets_their_graph"),
        ("real and fake are swapped in D's loss", "gan/gan.py",
         "self.loss.discriminator(real_logits, fake_logits)", "self.loss.discriminator(fake_logits, real_logits)",
         "test_gan.py::test_the_losses_get_the_logits_of_real_and_fake_images"),
        ("D's logits of real and fake are swapped", "gan/gan.py",
         "self.D(real, *labels), self.D(fake, *labels)", "self.D(fake, *labels), self.D(real, *labels)",
         "test_gan.py::test_the_losses_get_the_logits_of_real_and_fake_images"),
        ("G gets no graph of the last fake images", "gan/gan.py", "record(i == self.n_critic)", "record(i == 0)",
         "test_gan.py::test_both_phases_of_a_step_get_the_same_fake_images_and_only_one_gets_their_graph"),
        ("every batch of D builds a graph of G", "gan/gan.py", "record(i == self.n_critic)", "record(True)",
         "test_gan.py::test_only_the_last_fake_images_of_a_step_have_a_graph"),
        ("D refuses images with their right label", "gan/matching.py", "self.D(real, wrong)", "self.D(real, *labels)",
         "test_presets.py::test_d_learns_that_a_real_image_with_a_wrong_label_is_fake"),
        ("a relativistic G compares with fake images", "gan/gan.py",
         "real_logits = self.D(real, *labels)", "real_logits = self.D(fake, *labels)",
         "test_gan.py::test_the_loss_of_a_relativistic_generator_gets_real_and_fake_logits"),
        ("D learns once in a step, for any n_critic", "gan/gan.py", "take(self.n_critic)", "take(1)",
         "test_gan.py::test_the_discriminator_learns_n_critic_times_for_each_step_of_the_generator"),
        ("no power iteration in a step", "gan/gan.py", "power_iteration(self.D)  #", "pass  #",
         "test_spectral.py::test_a_step_does_one_round_for_each_layer_and_then_all_passes_use_the_same_vectors"),
        ("the penalty is not in D's loss", "gan/gan.py", "penalty * self.penalty_weight.reshape(())", "penalty * 0.0",
         "test_gan.py::test_the_discriminators_loss_includes_the_weighted_penalty"),
        # losses and penalties
        ("label smoothing of the fake target", "gan/losses.py",
         "(1.0 - real_label) * real_logits.mean()", "(1.0 - real_label) * fake_logits.mean()",
         "test_losses.py::test_label_smoothing_is_one_sided"),
        ("least squares with the targets swapped", "gan/losses.py",
         "((real_logits - real_label) ** 2).mean() + 0.5 * (fake_logits**2).mean()",
         "((fake_logits - real_label) ** 2).mean() + 0.5 * (real_logits**2).mean()",
         "test_losses.py::test_losses_have_the_values_of_their_papers"),
        ("hinge: the margin on the wrong side", "gan/losses.py", "1.0 - real_logits", "1.0 + real_logits",
         "test_losses.py::test_losses_have_the_values_of_their_papers"),
        ("Wasserstein: D's loss has the wrong sign", "gan/losses.py",
         "(fake_logits - real_logits).mean()", "(real_logits - fake_logits).mean()",
         "test_losses.py::test_losses_have_the_values_of_their_papers"),
        ("a relativistic G minimises D's loss", "gan/losses.py",
         "softplus(-(fake_logits - real_logits))", "softplus(fake_logits - real_logits)",
         "test_losses.py::test_losses_have_the_values_of_their_papers"),
        ("the saturating loss has the wrong sign", "gan/losses.py", "-softplus(fake_logits)",
         "softplus(fake_logits)", "test_losses.py::test_the_saturating_loss_is_right"
         "_and_its_gradient_vanishes_where_d_is_sure"),
        ("the penalty has one norm for all images", "gan/penalties.py",
         "(g * g).reshape(len(g), -1).sum(1)", "(g * g).sum()",
         "test_losses.py::test_penalties_of_a_quadratic_critic_equal_the_formula"),
        ("the penalty has a norm for each pixel", "gan/penalties.py",
         "(g * g).reshape(len(g), -1).sum(1)", "(g * g).sum(-1)",
         "test_losses.py::test_penalties_of_a_quadratic_critic_equal_the_formula"),
        ("gp has the target norm 0", "gan/penalties.py", "1e-12) - 1.0", "1e-12) - 0.0",
         "test_losses.py::test_penalties_of_a_linear_critic_have_a_closed_form"),
        ("gp has the same t for all images", "gan/penalties.py", "(len(real), *[1]", "(1, *[1]",
         "test_losses.py::test_penalties_of_a_quadratic_critic_equal_the_formula"),
        ("gp is computed at real images only", "gan/penalties.py",
         "Tensor(fake.data + t * ", "Tensor(real.data + 0 * t * ",
         "test_losses.py::test_penalties_of_a_quadratic_critic_equal_the_formula"),
        ("r1 is computed at fake images", "gan/penalties.py",
         "squared_gradient_norms(real_logits, real)", "squared_gradient_norms(fake_logits, fake)",
         "test_losses.py::test_penalties_of_a_quadratic_critic_equal_the_formula"),
        ("a penalty without a graph: D does not learn from it", "gan/penalties.py",
         "images, create_graph=True, grad_output", "images, grad_output",
         "test_losses.py::test_the_gradient_of_a_penalty_of_a_whole_discriminator_matches_finite_differences"),
        # the average of weights, and sampling
        ("EMA has no shorter half-life early in training", "gan/ema.py",
         "xp.minimum(ramp * images, half_life)", "half_life + 0.0 * images",
         "test_ema.py::test_the_average_forgets_the_first_weights_quickly"),
        ("EMA is never updated", "gan/training.py", "self.ema.update()", "pass",
         "test_ema.py::test_samples_are_drawn_with_averaged_weights_and_their_own_statistics"),
        ("BatchNorm statistics for EMA forget early batches", "gan/ema.py", "1.0 / k", "0.1",
         "test_ema.py::test_updated_bn_statistics_are_the_means_over_the_batches"),
        ("BatchNorm statistics for EMA are not updated", "gan/training.py",
         "update_bn_statistics(G, (self.generator_inputs(latent) for latent in latents))", "pass",
         "test_ema.py::test_samples_are_drawn_with_averaged_weights_and_their_own_statistics"),
        ("samples are drawn without the averaged weights", "gan/training.py",
         "self.ema.average, backend", "self.gan.G, backend",
         "test_ema.py::test_samples_are_drawn_with_averaged_weights_and_their_own_statistics"),
        ("with EMA, samples are drawn in train mode", "gan/training.py", "        return G.eval()", "        return G",
         "test_ema.py::test_a_sample_does_not_depend_on_the_others_in_its_batch"),
        ("without EMA, samples are drawn in train mode", "gan/training.py", "return self.gan.G.eval()",
         "return self.gan.G", "test_ema.py::test_a_sample_does_not_depend_on_the_others_in_its_batch"),
        ("G stays in eval mode after sampling", "gan/training.py", "self.gan.G.train()", "pass",
         "test_gan.py::test_sampling_changes_nothing_that_the_next_step_depends_on"),
        ("samples have equally many images of each class", "gan/training.py", "class_sizes or [1]", "[1]",
         "test_settings.py::test_mixed_classes_are_in_proportion_to_uneven_class_sizes"),
        # schedules, state, metrics
        ("schedules are a step ahead", "gan/training.py", "minimum(self.steps, ", "minimum(self.steps + 1, ",
         "test_presets.py::test_the_schedules_of_r3gan_follow_a_cosine"),
        ("only D's learning rate has a schedule", "gan/presets.py",
         "optimizers, lr, forget = (G_optimizer, D_optimizer)", "optimizers, lr, forget = (D_optimizer, D_optimizer)",
         "test_presets.py::test_the_schedules_of_r3gan_follow_a_cosine"),
        ("the learning rate is 0 in the last step", "gan/training.py",
         "(step / self.total_steps)", "(step / (self.total_steps - 1))",
         "test_presets.py::test_decay_brings_the_learning_rate_of_both_networks_to_zero"),
        ("a checkpoint without the state of the RNG", "gan/training.py", '"rng": self.gan.rng,', "",
         "test_gan.py::test_a_restored_training_continues_bit_for_bit"),
        ("a checkpoint without D's optimiser", "gan/training.py", '"discriminator_optimizer": self.D_optimizer,', "",
         "test_gan.py::test_a_restored_training_continues_bit_for_bit"),
        ("metrics are in the row of the next step", "gan/training.py", "[self.steps % ", "[(self.steps + 1) % ",
         "test_gan.py::test_a_step_moves_both_networks_and_records_finite_metrics"),
        ("the mean distance counts images with themselves", "gan/health.py", "max(n - 1, 1)", "n",
         "test_health.py::test_the_metrics_of_a_step_equal_numpys"),
        # Adam and the layers
        ("Adam without bias correction of m", "optim.py", "-1.0 / xp.expm1(t * log_beta1)", "1.0 + 0.0 * t",
         "test_optim.py::test_100_steps_equal_the_papers_algorithm"),
        ("Adam without bias correction of v", "optim.py",
         "-1.0 / xp.expm1(t * xp.log1p(-one_minus_beta2))", "1.0 + 0.0 * t",
         "test_optim.py::test_100_steps_equal_the_papers_algorithm"),
        ("Adam's v is the mean of gradients, not of squares", "optim.py", "(g * g - v)", "(g - v)",
         "test_optim.py::test_100_steps_equal_the_papers_algorithm"),
        ("Adam with weight decay", "optim.py", "return p - lr * ", "return 0.999 * p - lr * ",
         "test_optim.py::test_100_steps_equal_the_papers_algorithm"),
        ("Adam's update leaves earlier graphs valid", "optim.py", "parameter.version += 1", "parameter.version += 0",
         "test_optim.py::test_an_update_makes_earlier_graphs_invalid"),
        ("BatchNorm averages the biased variance", "layers/norm.py", "var * correction", "var",
         "test_layers.py::test_batch_norm_keeps_running_statistics_with_unbiased_variance"),
        ("BatchNorm divides by the unbiased variance", "layers/norm.py",
         "moments=(mean, var)", "moments=(mean, var * (n / (n - 1)))",
         "test_layers.py::test_batch_norm_in_training_gives_mean_beta_and_standard_deviation_gamma"),
        ("BatchNorm uses the batch's statistics in eval mode", "layers/norm.py",
         "if not self.training:", "if False:",
         "test_layers.py::test_batch_norm_in_eval_mode_treats_each_image_alone_and_keeps_its_statistics"),
        ("dropout in eval mode", "layers/activation.py", "if not self.training or not self.p", "if not self.p",
         "test_layers.py::test_dropout_keeps_the_mean_in_training_and_does_nothing_in_eval_mode"),
        ("dropout shrinks the mean", "layers/activation.py", "1.0 / (1.0 - self.p)", "1.0",
         "test_layers.py::test_dropout_keeps_the_mean_in_training_and_does_nothing_in_eval_mode"),
        ("D gets the label channels of another image", "gan/conditional.py",
         "(labels @ response)", "(labels[::-1] @ response)",
         "test_sequential.py::test_label_conv2d_is_the_convolution_of_images_with_constant_channels"),
        ("augmentation changes each image's brightness", "gan/augment.py", "light * chosen[2]", "light",
         "test_augment.py::test_images_stay_as_they_are_with_probability_zero_and_change_with_one"),
        # data
        ("an epoch begins at its second image", "data/batches.py", "self.position[...] = 0", "self.position[...] = 1",
         "test_data.py::test_an_epoch_has_each_image_once_and_its_order_depends_on_seed_and_epoch"),
        ("every epoch has the same order", "data/batches.py", "(self.seed, epoch)", "(self.seed, 0)",
         "test_data.py::test_an_epoch_has_each_image_once_and_its_order_depends_on_seed_and_epoch"),
        ("batches overlap", "data/batches.py", "self.position += count",
         "self.position += count - 1",
         "test_data.py::test_an_epoch_has_each_image_once_and_its_order_depends_on_seed_and_epoch"),
        ("images get the labels of other images", "data/batches.py", "[dataset.labels]", "[dataset.labels[::-1]]",
         "test_data.py::test_batches_have_the_one_hot_labels_of_their_images"),
        ("the smallest group is the first", "data/groups.py", "np.argsort(-sizes", "np.argsort(sizes",
         "test_groups.py::test_groups_are_the_kinds_of_images_and_the_largest_comes_first"),
        *ROWS,
    ]
]  # fmt: skip


def mutated(mutant, root=ROOT):
    """Return (the file, its text with the mistake). Raises ValueError unless the text is found exactly once."""
    path = root / "tinygan" / mutant.file
    source = path.read_text()
    if (found := source.count(mutant.text)) != 1:
        raise ValueError(
            f"mutant {mutant.mistake!r}: its text {mutant.text!r} is found {found} times in tinygan/{mutant.file}, "
            "not once. If the code has changed, put the new text into tests/mutants.py"
        )
    return path, source.replace(mutant.text, mutant.replacement)


def run_tests(copy, tests):
    """Run tests in a copy of the repository. Return pytest's exit status (0: passed, 1: failed) and its output."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    env = {**os.environ, "PYTHONPATH": str(copy), "TINYGAN_KERNELS": "numpy", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=copy, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main(word=""):
    mutants = [mutant for mutant in MUTANTS if word in mutant.mistake]
    survivors = 0
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place)
        for name in COPIED:
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, copy / name)
        status, output = run_tests(copy, sorted({test for mutant in mutants for test in mutant.tests.split()}))
        if status:
            print(f"{output}\nthe tests fail even without a mutant, so mutants cannot be tested")
            return 2
        for mutant in mutants:
            path, text = mutated(mutant, copy)
            before = path.read_text()
            path.write_text(text)
            status, _ = run_tests(copy, mutant.tests.split())
            path.write_text(before)
            survivors += status != 1  # status 1: a test failed
            print(f"{mutant.mistake:<55} {'killed' if status == 1 else f'SURVIVED (pytest: {status})'}", flush=True)
    print(f"{len(mutants)} mutants, {survivors} survivors")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

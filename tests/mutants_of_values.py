"""Mutants of values and states: defaults, constants of papers, operands, thresholds, and what is restored afterwards.

They raise no error and break no derivative. mutants.py plants them; the columns are those of its class Mutant.
"""

SETTINGS = "test_presets.py::test_a_preset_has_the_settings_with_which_the_readme_measured_it"
NETWORKS = "test_presets.py::test_the_networks_of_a_preset_are_those_that_the_readme_measured"
POINTS = "test_presets.py::test_a_preset_for_points_has_the_settings_of_the_toy_worlds"
ORDER = "test_engine.py::test_an_operator_keeps_the_order_of_a_tensor_and_an_array_or_number"
MEANS = "test_engine.py::test_sums_and_means_have_numpys_values_and_shapes"
NO_GRAD = "test_engine.py::test_no_grad_lasts_until_the_end_of_the_outer_block"
ADAM = "test_optim.py::test_by_default_adam_has_the_betas_of_dcgan"
INITIAL = "test_layers.py::test_initial_weights_have_the_standard_deviation_of_their_paper"
VERSIONS = "test_layers.py::test_weights_that_are_moved_or_loaded_make_earlier_graphs_invalid"
EPS = "test_layers.py::test_batch_norm_adds_1e_5_to_the_variance"
PENALTIES = "test_losses.py::test_the_gradient_penalty_has_the_weight_of_its_paper_and_the_others_have_one"
FLAGS = "test_losses.py::test_a_logit_means_what_the_paper_of_its_loss_says"
RAMP = "test_ema.py::test_early_in_training_the_half_life_is_a_twentieth_of_the_images"
LATENTS = "test_ema.py::test_statistics_for_samples_are_those_of_2048_latent_vectors"
WARNINGS = "test_health.py::test_a_warning_comes_at_its_threshold"
MODES = "test_health.py::test_a_mode_is_covered_by_a_fifth_of_its_share_and_a_sample_is_good_within_three_sigma"
WORLDS = "test_health.py::test_the_modes_of_the_grid_are_an_even_lattice_of_gaussians_of_standard_deviation_0_05"
ARROWS = "test_health.py::test_arrows_in_a_toy_world_point_to_a_lower_loss_of_g"
SURFACE = "test_health.py::test_the_picture_of_a_toy_world_shows_ds_output_with_a_row_for_each_y"
HASH = "test_data.py::test_the_hash_of_a_data_set_changes_with_its_images_and_its_labels"
MARK = "test_measuring.py::test_the_mark_of_a_classifier_changes_with_its_data_and_its_recipe"
NOISE = "test_measuring.py::test_training_images_get_noise_of_up_to_50"
LENGTH = "test_measuring.py::test_a_classifier_is_trained_for_ten_epochs_or_at_least_200_steps"
MNIST = "test_measuring.py::test_mnist_is_measured_with_the_classifier_of_the_package_and_10000_images"
OPTIONS = "test_settings.py::test_options_that_are_not_given_depend_on_the_data_and_on_the_others"
GROUPS = "test_settings.py::test_there_are_40_groups_or_one_for_each_100_images"
COVER = "test_augment.py::test_a_change_covers_a_part_of_the_image_and_changes_its_brightness"
ORIGIN = "test_origin.py::test_averaged_weights_are_loaded_from_the_other_run_or_begin_with_its_weights"
CURVE = "test_measuring.py::test_the_learning_rate_of_the_classifier_falls_to_zero_on_a_cosine_curve"

ROWS = [
    # operands and recording
    ("number - tensor, the wrong way round", "autograd/tensor.py",
     "arithmetic.subtract(other, self)", "arithmetic.subtract(self, other)", ORDER),
    ("number / tensor, the wrong way round", "autograd/tensor.py",
     "arithmetic.divide(other, self)", "arithmetic.divide(self, other)", ORDER),
    ("array @ tensor, the wrong way round", "autograd/tensor.py",
     "arithmetic.matmul(other, self)", "arithmetic.matmul(self, other)", ORDER),
    ("a mean forgets keepdims", "autograd/tensor.py", "self.sum(axis, keepdims)", "self.sum(axis)", MEANS),
    ("a mean divides by the number of results", "autograd/tensor.py",
     "total / (self.size / total.size)", "total / total.size", MEANS),
    ("an inner no_grad switches recording on", "autograd/tensor.py",
     "_recording.reset(before)", "_recording.set(True)", NO_GRAD),
    ("after an error in no_grad nothing is recorded", "autograd/tensor.py",
     "    try:\n        yield\n    finally:\n", "    if True:\n        yield\n", NO_GRAD),
    ("a detached tensor begins a graph", "autograd/tensor.py",
     "return Tensor(self.data)\n", "return Tensor(self.data, True)\n",
     "test_engine.py::test_a_detached_tensor_is_a_constant"),
    ("x^0 has the derivative NaN at 0", "autograd/arithmetic.py", "exponent in (0, 1)", "exponent == 1",
     "test_engine.py::test_powers_have_a_derivative_at_zero"),
    # layers and Adam
    ("fan_in of a transposed convolution without its stride", "layers/conv.py", " / math.prod(pair(stride))", "",
     "test_layers.py::test_fan_in_is_the_mean_number_of_inputs_of_an_output_within_the_image"),
    ("he_normal preserves half of the variance", "layers/initial.py", "2.0 / fan_in", "1.0 / fan_in", INITIAL),
    ("normal has the standard deviation 0.03", "layers/initial.py", "* 0.02", "* 0.03", INITIAL),
    ("LeakyReLU has the slope 0.01 by default", "layers/activation.py", "float = 0.2", "float = 0.01",
     "test_layers.py::test_leaky_relu_has_the_slope_of_dcgan_by_default"),
    ("loaded weights leave earlier graphs valid", "layers/module.py",
     "parameter.version += 1", "parameter.version += 0", VERSIONS),
    ("moved weights leave earlier graphs valid", "layers/flat.py", ".version += 1", ".version += 0", VERSIONS),
    ("BatchNorm in eval mode without eps", "layers/norm.py", "self.running_var + self.eps", "self.running_var", EPS),
    ("BatchNorm with eps 1e-3 by default", "layers/norm.py", "eps: float = 1e-5", "eps: float = 1e-3", EPS),
    ("spectral norm begins with one round", "layers/spectral.py", "rounds: int = 10", "rounds: int = 1",
     "test_spectral.py::test_a_new_spectral_norm_has_nearly_found_the_largest_singular_value"),
    ("Adam with beta1 0.9 by default", "optim.py", "= (0.5, 0.999)", "= (0.9, 0.999)", ADAM),
    ("Adam with beta2 0.99 by default", "optim.py", "= (0.5, 0.999)", "= (0.5, 0.99)", ADAM),
    ("Adam with lr 1e-3 by default", "optim.py", "lr: float = 2e-4", "lr: float = 1e-3", ADAM),
    ("Adam with eps 1e-6 by default", "optim.py", "eps: float = 1e-8", "eps: float = 1e-6", ADAM),
    # the game
    ("weight 1 of the gradient penalty", "gan/penalties.py",
     "Penalty(gradient_penalty, 10.0)", "Penalty(gradient_penalty, 1.0)", PENALTIES),
    ("weight 10 of r1", "gan/penalties.py", "Penalty(r1, 1.0)", "Penalty(r1, 10.0)", PENALTIES),
    ("the hinge loss has probabilities", "gan/losses.py", "(hinge_discriminator, hinge_generator)",
     "(hinge_discriminator, hinge_generator, True)", FLAGS),
    ("hinge is relativistic", "gan/losses.py", "(hinge_discriminator, hinge_generator)",
     "(hinge_discriminator, hinge_generator, relativistic=True)", FLAGS),
    ("weight 1 of r1 for points", "gan/presets.py", "return 0.1\n", "return 1.0\n", POINTS),
    ("beta2 0.999 for points", "gan/presets.py", "(preset.betas[0], 0.99)", "(preset.betas[0], 0.999)", POINTS),
    ("two latent numbers for points", "gan/presets.py", "latent_size=8", "latent_size=2", POINTS),
    ("presets have beta1 0.9", "gan/presets.py", "= (0.5, 0.999)", "= (0.9, 0.999)", SETTINGS),
    ("convolutional presets have lr 2e-4", "gan/presets.py", '"lr": 8e-4', '"lr": 2e-4', SETTINGS),
    ("sngan without spectral norm", "gan/presets.py", '"hinge", spectral_norm=True', '"hinge"', SETTINGS),
    ("cgan with twice the weight of wrong labels", "gan/presets.py", "wrong_labels=0.15", "wrong_labels=0.3", SETTINGS),
    ("cgan without decay", "gan/presets.py", "wrong_labels=0.15, decay=True", "wrong_labels=0.15", SETTINGS),
    ("wgan-gp with a penalty of weight 1", "gan/presets.py", '"gp", 10.0', '"gp", 1.0', SETTINGS),
    ("wgan-gp with one update of D", "gan/presets.py", "n_critic=5, lr", "n_critic=1, lr", SETTINGS),
    ("r3gan with beta1 0.5", "gan/presets.py", "betas=(0.0, 0.9)", "betas=(0.5, 0.9)", SETTINGS),
    ("r3gan's D begins with small weights", "gan/presets.py",
     "discriminator, width=32, norm=False, init=he_normal", "discriminator, width=32, norm=False", NETWORKS),
    ("the linear D begins with large weights", "gan/models.py",
     "D_activation(dropout, rng), normal)", "D_activation(dropout, rng), he_normal)", NETWORKS),
    ("the linear G begins with small weights", "gan/models.py",
     "list[Module], init=he_normal", "list[Module], init=normal", NETWORKS),
    ("D has the slope 0.1", "gan/models.py", "else [LeakyReLU(0.2)]\n\n\ndef G", "else [LeakyReLU(0.1)]\n\n\ndef G",
     NETWORKS),
    ("G has leaky ReLUs after BatchNorm", "gan/models.py",
     "[BatchNorm(channels), ReLU()]", "[BatchNorm(channels), LeakyReLU(0.2)]", NETWORKS),
    ("no activation after a layer that is joined with it", "layers/sequential.py",
     "slope=after.slope", "slope=1.0",
     "test_sequential.py::test_a_layer_and_its_activation_are_computed_together_with_the_same_result"),
    ("real images with a wrong label are learned as real", "gan/matching.py", "softplus(wrong", "softplus(-wrong",
     "test_presets.py::test_d_learns_that_a_real_image_with_a_wrong_label_is_fake"),
    ("augmentation shifts by up to a quarter", "gan/augment.py", "= 1 / 8, 1 / 4", "= 1 / 4, 1 / 4",
     "test_augment.py::test_an_image_is_shifted_by_up_to_an_eighth_of_its_sides"),
    ("augmentation covers little", "gan/augment.py", "= 1 / 8, 1 / 4", "= 1 / 8, 1 / 8", COVER),
    ("augmentation changes the brightness little", "gan/augment.py", "NESS = 0.5", "NESS = 0.4", COVER),
    # the average of weights
    ("EMA begins at random weights", "gan/ema.py", "self.target.data[...] = self.source.data", "pass",
     "test_ema.py::test_the_average_begins_at_the_weights"),
    ("EMA has a half-life of a tenth early in training", "gan/ema.py", "RAMP = 0.05", "RAMP = 0.1", RAMP),
    ("BatchNorm statistics for EMA of one batch", "gan/training.py", "in range(8)", "in range(1)", LATENTS),
    ("BatchNorm statistics for EMA of small batches", "gan/training.py", "normal((256,", "normal((32,", LATENTS),
    ("an error leaves a changed momentum of BatchNorm", "gan/ema.py",
     "    finally:\n", "    except KeyError:\n        raise\n    else:\n",
     "test_ema.py::test_an_error_leaves_the_momentum_of_batch_norm_as_it_was"),
    ("an error in sampling leaves G in eval mode", "gan/training.py",
     "        finally:\n", "        except KeyError:\n            raise\n        else:\n",
     "test_ema.py::test_an_error_in_sampling_leaves_g_in_training_mode"),
    # health
    ("D has won from an accuracy of 0.95", "gan/health.py", "> 0.98", "> 0.95", WARNINGS),
    ("D has won if it recognises one kind of image", "gan/health.py",
     'certain = min(mean', 'certain = max(mean', WARNINGS),
    ("G's gradient has vanished at a tenth", "gan/health.py", "< 0.05 *", "< 0.1 *", WARNINGS),
    ("a collapse at half of the distance", "gan/health.py", "< 0.3 *", "< 0.5 *", WARNINGS),
    ("a failure is reported after 10 rows", "gan/health.py", "RECENT = 20", "RECENT = 10",
     "test_health.py::test_the_first_warning_comes_after_20_rows"),
    ("after detect_anomaly results are still checked", "gan/health.py",
     "            primitive.forward = forward\n", "            pass\n",
     "test_health.py::test_the_first_primitive_with_a_result_that_is_not_finite_is_named"),
    # data
    ("an epoch as long for any number of batches a step", "data/batches.py", " // per_step\n", "\n",
     "test_data.py::test_a_step_with_several_batches_makes_an_epoch_shorter"),
    ("pixels of a batch are divided by 128", "data/batches.py", "1.0 / 127.5", "1.0 / 128",
     "test_data.py::test_the_pixels_of_a_batch_become_those_of_to_float"),
    ("classes without images do not count", "data/dataset.py",
     "int(self.labels.max()) + 1", "len(set(self.labels.tolist()))",
     "test_data.py::test_a_class_without_images_counts_as_a_class"),
    ("the hash of the data without labels", "data/dataset.py", "(self.images, self.labels)", "(self.images,)", HASH),
    ("the hash of the data without shapes", "data/dataset.py", "{self.images.shape} ", "", HASH),
    ("files called test are training images", "data/idx.py", '"t10k|test"', '"t10k"',
     "test_data.py::test_a_file_of_test_images_is_never_trained_on"),
    ("a mode of a toy world counts from a tenth", "data/toy.py", "0.2 * len(points)", "0.1 * len(points)", MODES),
    ("a sample of a toy world is good within four sigma", "data/toy.py", "< 3 * SIGMA", "< 4 * SIGMA", MODES),
    ("wider modes of the toy worlds", "data/toy.py", "SIGMA = 0.05", "SIGMA = 0.06", WORLDS),
    ("a smaller ring", "data/toy.py", "np.sin(angle)], 1) * 2", "np.sin(angle)], 1)", WORLDS),
    # metrics
    ("a class counts from a quarter of its share", "metrics/labels.py", "0.2 * expected", "0.25 * expected",
     "test_metrics.py::test_classes_of_samples_are_compared_with_the_training_set"),
    ("the mark of a classifier without labels", "metrics/store.py", "(dataset.images, dataset.labels)",
     "(dataset.images,)", MARK),
    ("the mark of a classifier without its recipe", "metrics/store.py", 'f"{RECIPE} {', 'f"{', MARK),
    ("the classifier learns with little noise", "metrics/classifier.py", "NOISE = 2, 50", "NOISE = 2, 5", NOISE),
    ("20 steps of the classifier for few images", "metrics/classifier.py", "10, 200, 2e-3", "10, 20, 2e-3", LENGTH),
    ("one epoch of the classifier", "metrics/classifier.py", "128, 10, 200", "128, 1, 200", LENGTH),
    ("a constant learning rate of the classifier", "metrics/classifier.py",
     " * 0.5 * (1 + math.cos(math.pi * step / steps))", "", CURVE),
    ("the classifier learns with the betas of a GAN", "metrics/classifier.py", "(0.9, 0.999)", "(0.5, 0.999)", CURVE),
    ("1,000 test images", "metrics/evaluator.py", "REFERENCE = 10_000", "REFERENCE = 1_000", MNIST),
    ("5,000 real images", "metrics/evaluator.py", "n=10_000", "n=5_000", MNIST),
    ("three nearest neighbours", "metrics/neighbours.py", "K = 5", "K = 3",
     "test_metrics.py::test_two_samples_of_one_distribution_have_the_expected_density_and_coverage"),
    ("the classifier has the slope 0.2", "metrics/classifier.py", "LeakyReLU(0.1)", "LeakyReLU(0.2)", MNIST),
    # the application
    ("graphs of the weights before --from stay valid", "app/origin.py", "version += 1", "version += 0", ORIGIN),
    ("an average that is not loaded begins at random", "app/origin.py",
     "training.ema.target.data[...] = training.ema.source.data", "pass", ORIGIN),
    ("an exported BatchNorm without eps", "app/export.py", "var + norm.eps", "var",
     "test_export.py::test_folding_batch_norm_into_linear_changes_no_result"),
    ("arrows point to a higher loss of G", "app/worlds.py", "return -gradient", "return gradient", ARROWS),
    ("after a picture D stays in eval mode", "app/worlds.py", "self.D.train()", "pass", ARROWS),
    ("pictures are drawn with D in train mode", "app/worlds.py", "self.D.eval()", "pass", SURFACE),
    ("pictures are turned by 90 degrees", "app/worlds.py", "reshape(SIDE, SIDE)", "reshape(SIDE, SIDE).T", SURFACE),
    ("few images are fewer than 200", "app/options.py", "= 2000, 0.5", "= 200, 0.5", OPTIONS),
    ("few images are changed rarely", "app/options.py", "= 2000, 0.5", "= 2000, 0.1", OPTIONS),
    ("every penalty has the weight 1", "app/options.py", "default_penalty_weight(kind, shape)", "1.0", OPTIONS),
    ("other losses than bce keep wrong labels", "app/options.py", 'args.loss not in (None, "bce")', "False", OPTIONS),
    ("groups keep wrong labels", "app/options.py", "if grouped or args.loss", "if args.loss",
     "test_settings.py::test_groups_are_learned_without_wrong_labels"),
    ("ten groups", "app/options.py", "GROUPS = 40", "GROUPS = 10", GROUPS),
    ("a group for each 10 images", "app/groups.py", "LEAST = 100", "LEAST = 10", GROUPS),
    ("older runs had augmentation", "app/settings.py", '"augment": 0.0', '"augment": 0.5',
     "test_settings.py::test_a_field_that_is_missing_in_an_older_run_has_the_value_that_it_had_then"),
    ("an epoch ignores the updates of D", "app/settings.py", "p.n_critic, p.cond", "1, p.cond",
     "test_settings.py::test_a_step_of_wgan_gp_takes_five_batches_of_the_data"),
    ("a checkpoint every ten minutes", "app/schedule.py", "SAVE_EVERY = 60.0", "SAVE_EVERY = 600.0",
     "test_pauses.py::test_a_checkpoint_is_due_after_a_minute"),
]  # fmt: skip

"""From a user's download to batches: records, image store, sampler, augmentation."""

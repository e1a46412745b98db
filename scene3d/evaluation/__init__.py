"""Pure metrics: prediction and truth in, figures out; and the baselines that figures stand beside."""

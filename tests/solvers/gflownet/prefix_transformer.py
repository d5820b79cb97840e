"""The slow twin of the transformer policy, from torch's own modules: it reads the whole prefix again at every token."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from paretokit.solvers.gflownet._policy import masked_log_softmax
from paretokit.solvers.gflownet._sampler import drawn, explored


class PrefixTransformer(nn.Module):
    """A policy of words whose parameters are listed in the order of `TransformerFlow`'s row (conditioning "head")."""

    def __init__(self, policy, environment, condition_dim):
        super().__init__()
        width = policy.width
        layer = nn.TransformerEncoderLayer(
            width, policy.heads, policy.feedforward, dropout=0.0, batch_first=True, norm_first=True
        )
        self.embedding = nn.Embedding(environment.n_letters + 1, width)
        self.encoder = nn.TransformerEncoder(layer, policy.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.condition = nn.Linear(condition_dim, width)
        sizes = [2 * width, *policy.hidden, environment.n_actions + 1]
        parts = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            parts += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.behind = nn.Sequential(*parts[:-1])
        t = torch.arange(environment.max_length + 1, dtype=torch.float64).unsqueeze(1)
        angle = t / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
        self.register_buffer("positions", torch.stack([angle.sin(), angle.cos()], -1).flatten(1))
        self.environment = environment

    def load(self, row: Tensor) -> PrefixTransformer:
        """Take the parameters from a row."""
        self.to(row.dtype)
        nn.utils.vector_to_parameters(row.detach().clone(), self.parameters())
        return self

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Return the heads `[n, A + 1]` of words that begin with the start token, `[n, t]`."""
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.positions[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=x.dtype)
        hidden = self.encoder(x, mask=mask, is_causal=True)[:, -1]
        return self.behind(torch.cat([hidden, self.condition(condition)], -1))

    def rollout(self, condition: Tensor, u: Tensor, epsilon: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return actions `[T, n]` and the sum of their log-probabilities `[n]`, with gradients from every token."""
        env, n = self.environment, len(condition)
        states = env.start(n)
        tokens = torch.full((n, 1), env.pad)
        total, actions = torch.zeros(n, dtype=condition.dtype), []
        for step in range(env.max_steps):
            mask = env.mask(states)
            log_policy = masked_log_softmax(self(tokens, condition)[:, :-1], mask)
            action = drawn(explored(log_policy.detach(), mask, epsilon), mask, u[step])
            chosen = log_policy.gather(1, action.clamp_min(0).unsqueeze(1)).squeeze(1)
            total = total + torch.where(action >= 0, chosen, 0)
            states = env.step(states, action)
            tokens = torch.cat([tokens, env.tokens(states)[:, step : step + 1]], 1)
            actions.append(action)
        return torch.stack(actions), total

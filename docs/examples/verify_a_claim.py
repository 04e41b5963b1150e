"""Door 1: verify a claim. The survey's (8): its proof replayed, its verdict on tasks that are hard for it."""

from simulations import families
from simulations.verdicts import check, replay
from theory import CLAIMS

claim = CLAIMS["second-moment"]
certificate = claim.certificate("published")
print(claim.statement)
print(f"{claim.verdict}: {len(certificate.steps)} steps, every one {'holds' if certificate.ok else 'NOT shown'}")

too_small = claim.certificate("published", cF=1)
failed = next(step for step in too_small.steps if not step.ok)
print(f"with 1 in place of {claim.published['cF']} the proof stops at {failed.name!r}")

family = families.cosine(dim=2, tasks=4, sigma=12, sigma_tilde=0.05)
for version in claim.versions:
    verdict = check(claim.id, family, version=version, D_in=1, D_o=1, D_h=1)
    print(verdict)
    assert replay(verdict.key).slack == verdict.slack

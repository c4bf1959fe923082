"""What a running step can reach, put together for each attempt."""

from functools import cache
from typing import Any

from langchain_core.globals import set_llm_cache
from mutirao.artifacts import FolderBlobs
from mutirao.db import Database
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim
from mutirao.jobs.spending import Prices, Spending
from mutirao.settings import Settings
from mutirao.uploads import Uploads
from mutirao_agents.context import Emit, JobContext
from mutirao_agents.effects import EffectLedger
from mutirao_agents.knowledge.services import KnowledgeServices
from mutirao_agents.models import ChatModels
from mutirao_agents.steps import StepCalls

from mutirao_workers.budgets import Budgets
from mutirao_workers.fanning import JobChildren
from mutirao_workers.files import JobFiles
from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.ledger import AnswersCache, AttemptContext, JobEffects, ModelAnswers


class Contexts:
    """Makes the `JobContext` of an attempt; models and knowledge are opened once and shared.

    Made in the loop that runs the attempts. LangChain's cache of this process is the ledger from then on.
    """

    def __init__(self, settings: Settings, db: Database, claims: ClaimStore) -> None:
        self._settings = settings
        self._claims = claims
        self._blobs = FolderBlobs(settings.stack.artifacts_path)
        self._uploads = Uploads(db)
        self._models = ChatModels(settings.model)
        self._knowledge: Any = KnowledgeServices.open(settings, db, self._blobs)
        self.home = HomeLoop(db)
        self.prices = Prices(settings.model.model_prices)
        self._spending = cache(lambda database: Spending(database, self.prices))
        set_llm_cache(AnswersCache(self.home))

    def __call__(self, claim: Claim, emit: Emit) -> JobContext:
        """The context of one attempt."""
        home, settings = self.home, self._settings
        calls = StepCalls()
        answers = ModelAnswers(claim, calls)
        budgets = Budgets(claim, home, self._spending, answers)
        return AttemptContext(
            job_id=claim.job_id,
            project_id=claim.project_id,
            thread_id=claim.thread_id,
            workflow=claim.workflow,
            epoch=claim.epoch,
            settings=settings,
            files=JobFiles(claim, self._blobs, self._claims, self._uploads, emit),
            knowledge=self._knowledge.of_project(claim.project_id),
            models=self._models,
            emit=emit,
            children=JobChildren(claim, home, settings.worker),
            effects=EffectLedger(JobEffects(claim, home), claim.job_id, home.wait, settings.worker.max_effect_bytes),
            wait=home.wait,
            callbacks=budgets.callbacks(settings.model.model_max_tokens),
            calls=calls,
            answers=answers,
        )

    async def step(self, claim: Claim) -> None:
        """Count a step that is about to begin. Raises BudgetExhausted, LeaseLost."""
        await self.home.do(lambda db: self._spending(db).step(claim))

    async def close(self) -> None:
        """Close what it has opened; the database is its owner's to close."""
        set_llm_cache(None)
        await self._knowledge.close()
        await self.home.close()

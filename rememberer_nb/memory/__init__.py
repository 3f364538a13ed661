"""The experience memory."""

from rememberer_nb.memory.experience import ExperienceMemory as ExperienceMemory

"""What can be read here, and the way out where it cannot."""

import asyncio
from dataclasses import dataclass

from kari.multimedia.v1.multimedia_pb2 import Reader
from servers.multimedia.captioning import Captioning
from servers.multimedia.configuration import Media
from servers.multimedia.hearing import Hearing
from servers.multimedia.weights import require_ocr
from servers.runtime.call import Principal
from servers.runtime.weights import WeightsWrong

OCR_OFF = "`[media] ocr = false` of files.toml switches it off"


@dataclass(frozen=True)
class Readers:
    """The readers as one user has them."""

    media: Media
    captioning: Captioning
    hearing: Hearing

    async def of(self, who: Principal) -> list[Reader]:
        """By name."""
        ocr, speech = await asyncio.to_thread(
            lambda: (_ocr(), self.hearing.unavailable_because(who))
        )
        because = {
            "caption": await self.captioning.unavailable_because(who),
            "ocr": ocr,
            "speech": speech,
            "video": "",
        }
        return [
            Reader(name=name, available=not why, unavailable_because=why)
            for name, why in because.items()
        ]


def _ocr() -> str:
    try:
        require_ocr()
    except WeightsWrong as error:
        return str(error)
    return ""

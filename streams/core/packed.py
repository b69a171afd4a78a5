"""Rows as they are kept: compressed one by one, with a dictionary made of typical rows.

A row of a whole semester is 720 bytes of MessagePack, of which field names, dates and topic names
are the greater part; packed it is 420. Memory, changelog and restores shrink by as much (decision
0007).
"""

from __future__ import annotations

from base64 import b85decode
from typing import Final

import zstandard

VERSION: Final = b"\x02"
"""First byte of a packed row. Another dictionary, level or format is another version."""

# Trained on simulated semesters: ``python -m benchmarks.memory --train``. Rows packed with it stand
# on changelogs: never change it, add a version.
_DICTIONARY: Final = zstandard.ZstdCompressionDict(
    b85decode(
        "H>5D^0RR91MG%N*ngak3&;S(}M2KJ!FANe2q6R}I=d&P8#JvHdgFGIQhzPuApL*=>|Lr7)gGv}uN-3q3GO26h(QL"
        ">kYu_bG?G951C>%fplYkKh000DF2#`Yv5Q+&X16V*HhDIRFC;*H!2nYxP2mk;800000q^OQ1F+v~|0z-kI8HnRU3"
        "`7PS000000RR911ONa42mk;80002XKvVz#00000l*>R=zyJUM007HCIq;*`3O#YlKvbXr00000%RoNxqt^;Oai?Q"
        "wVQyz-bCa03GB7eWEig1KFgH{%GdeIiIx#RVGB_|=ur@MdG&f@~Wn*PCH8Eu}Fr_szH!v}h%RnFi000000Lwrm00"
        "000005G}%RnRm000000K=2AV_|M~VRJ2PX?A5TWp-t5baMgCDF?uqxH2#@HZ3qTEip7yF*G_cFgi0bE;%(fTCibe"
        "IWRLhIA&ruW@0iiHe{tWGB+?XlFL9-pa1{>007HCSpWb40001zz{@~c00000006?1vSVRxc42cZY-x67EoF9PZgg"
        "`4%`IlYn7A@9GBzzRH7zhXR4_L>F)=zcHZC?XHCnJ_Hexa{G&W&3VP<4xWn?*}H8M9aGm^_d5C8xG0002X000000"
        "0000lEBLV000000002Old@xBZgydFEo^CaWi4fPWo~qH1I;@Uz^ij*Wo}<{V{dY0bCSd`00254f%ytT8Z+dI+3^X"
        "?00255co#+o0zx78e>%``00255o`Fr5m<BT%qSX-M!~n2nZ*pgEbaZ8IUt?%tZf9k<GB7eWEif`IF*sB(I65#nIx"
        "{maI5am}hNoe0aBOKn000000Lws000000005G}%Ros0000000K${9V_|M~VRJ2PX?A5TWp-t5baMjDAl$&Kb7f_2"
        "Uvpz`a%FRp#1H@gIv^~KQ;NG|6q3AB)*r+Gg{NU~aBOL1WRkXHHf=3AN^LhePIxykaa4JEOF3dPQOzL-s$pYeZ*^"
        "{TUuk5aIi_=CZ*paGk(RhJFfukRFfuJLHdHV;Ix;XiGC3|VH85JZGB7eWEif`IFg8>$I65*gIx;yfFfcG$uw*qbW"
        ";r!tIASq2WnyMDGp1o<bZK^Fl*>R)00000007HCBU~u;!jD|bKu!Pv00000%RnPsDD}dRT$IZ|QosNJ0002XKqLS"
        "F00000%Ro}V000000Lwrm00000005_BXkl(=Wpk34xH2#@HZ3qREig7zFgQ9gFgh?fE;%$XTCh1XVPRo0G&5v1W?"
        "?rsV`HT?F*7hQlFL9Y00000007HCIRF3v0001z%Rnvw00000"
    )
)
_FORMAT: Final = zstandard.FORMAT_ZSTD1_MAGICLESS
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(
    1, format=_FORMAT, write_content_size=1, write_checksum=0, write_dict_id=0
)
_packer: Final = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=_PARAMETERS)
_unpacker: Final = zstandard.ZstdDecompressor(dict_data=_DICTIONARY, format=_FORMAT)


def pack(value: bytes) -> bytes:
    """Return a row's value as it is kept.

    Example:
        >>> unpack(pack(b"a row"))
        b'a row'
    """
    return VERSION + _packer.compress(value)


def unpack(kept: bytes) -> bytes:
    """Return what ``pack`` was given.

    Raises:
        ValueError: It was packed by another version, or by nobody.
    """
    if kept[:1] != VERSION:
        raise ValueError("not packed by this version")
    try:
        return _unpacker.decompress(kept[1:])
    except zstandard.ZstdError as error:
        raise ValueError("damaged") from error

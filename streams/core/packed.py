"""Rows as they are kept: compressed one by one, with a dictionary made of typical rows.

A row of a whole semester is 880 bytes of MessagePack, of which field names, dates and topic names
are the greater part; packed it is 370. Memory, changelog and restores shrink by as much (decision
0007).
"""

from __future__ import annotations

from base64 import b85decode
from typing import Final

import zstandard

VERSION: Final = b"\x01"
"""First byte of a packed row. Another dictionary, level or format is another version."""

# Trained on simulated semesters: ``python -m benchmarks.memory --train``. Rows packed with it stand
# on changelogs: never change it, add a version.
_DICTIONARY: Final = zstandard.ZstdCompressionDict(
    b85decode(
        "H>5D^0RR91LlB@;lMche*4EkOK(rkH7(fve`R)#^6t^%3X6tF{OL57)HzDj6Vr+S~rQ&T>rs<(lN-0xHDWzSXrsU"
        "737fy{f;{_-fDv3q|Rbl`D1mFdZ2oV~VmXpl@RNw&FKqx~21SCNK00=+;000000087k&LlBfBpL)mfe-+~zz_xkD"
        "k%T}00031000C4000O8005;mGB+?WlFL9K00000007HCBme*a0001zz{@}+00000006_2vSVRxc42cZY-x67EoF9"
        "PZgg`2%_#@Kn7A@9GBzzRG%YbSR53I<F)%taGA=naH(Ib^W;rl3IXGrwH)dioF*anSH8M9aGLp+cQ=k9<0002XKv"
        "@6)00000lEBMASpWb40002Old@xBZgydFEo^CaWi4fPWo~qH1I;aFz?ir)FfukRFf}bOIaDw=Ix#UiG&U|aF*RDS"
        "WHw?lF*G(|H(_REWMyPIr8P1)Ff)?NKo9@`00000%K!iX000000FuDV0000000000!jrONVQzL|b1iIXc4aMPc4c"
        "mKa|6vg62Pl-Wo2$(b7OCEWpk2~*(owGGBzzRGA%JUR4_O?FgZFiIW93XI9e|;VKXyjG&o^oIc701Ib&nlDKaoJH"
        "Z3qTEigA!Ff%$ZIXW>lE;cnaS}!m%G%_+VW;ZuxGht*fH!#^LGB7eWEig1KF*H;$G&(UbIx{#fHZe6?FF80cHZwC"
        "ZVPP_4H8C({GN7<#Z*pgEbaZ8IUt?%tZf9k<GB7eWEif`IF*sB(I65#nIx{maI5am}hNoe0aBOL1WRkXeQDbv5Of"
        "`0HGD~w*L2g55X8-^I000000Km%t0000000023XL4a=WnW`xVQyz-bCH<1GB7eWEif}JGBZ>$F*-0eIxsLUHa0L?"
        "uwiC6Ib$&~VPZ02GB#p0WTiDTHZU-f%Rogy000000Lws000000005G}%Ros0000000K${9V_|M~VRJ2PX?A5TWp-"
        "t5baMjDAl$&Kb7f_2Uvpz`a%FRpk=ZFSFfukRFf%POGgL7#IxsgnFf%SWG&Wi<Vq!KkF*G?cVq-NjWHvEopoOPla"
        "BysCWn_}JV>WFqIZACeIZk*tFmY6Qc}qEBGEvPT2dZIXV{dhCbYE#?p*f~=V{dY0bCH&~GB7eWEif`IFg8>$I65*"
        "gIx;yfFf}k*xH2#@HZ3qREig7zFgQ9gFgh|hE-)}KTCij_FlIS5VmM+kHf3UFG&81QV{~bDWt7W6P5=M^0002XKq"
        "Fiz^}>%_%Ro*5000000LwrlTqyOzk6e_?KvKW}00000%RnRm"
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

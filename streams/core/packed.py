"""Rows as they are kept: compressed one by one, with a dictionary made of typical rows.

A row of a whole semester is 930 bytes of JSON, of which field names, dates and topic names are the
greater part; packed it is 340. Memory, changelog and restores shrink by as much (decision 0007).
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
        "H>5D^0RR91G7!j`qyzu||NsC0m%vcN5AAET&>*|_-sBVA7AW9zM6>^2xjQLSk}0K>(w1o6T`&XF1OPl1g@!}d;Q#"
        ";xV9bhzNkj>U$4Js3P$&eU495Tzz@Qwc7&1ly7$X1x0000K3&{dv;~_~b5{83eaDc1?<dB*I000000RR911ONa42"
        "mk;8E;TGQFfK4%EL(1MY-}twFfK4%EM{SBb7d@BB4c50c42cZY-x67EoF9PZgg`ZEHW%HF*GwUT`X>OY;0XDTOu+"
        "rGBzzRH7zhPR53F;F)}(ZIW9CfIa(qtB4cDTVPs}xFfuV_FlA<CGa@V^H83$SGa@WoGA=bNGBqwRT`XH}b!==bGB"
        "qwRT`Xo{Y;$ESTOwm&ZgydFEo^CaWi4fPWo~qHA}la0F*GnRF<mTfb!=>1T`VGVWo2$(b7OCEWpg4rTU#PBFfukR"
        "FflDMG*mG&IxsLgGd3<ZGdNl=IW;z7GiEh6Ha0UdGh{hrA}k^@FfukRFflDMIaDw-Ix{djH83tXH!)f-WHd2lGB`"
        "OkHf3ftIW{?CA}k^@FfukRFfuJLHdHY&Iy5mlF)=PSGdWr>IAStlG-5MhHa9b5HDx(4A}k^@FfukRFf%PMGE^`&I"
        "y5jkFf}eSGcZ~&Vr67DGi7BrHaRgjVq`fuA}k^@FfukRFf=VOGgL7%IxsjoGcqnXH#1r<WnpDDW->BkGcY)2G-NY"
        "0B3&#ZB3&#ZW^Zz5Z*+8JZeL?)VQyz-B03^6FfukRFfuJLHdHY&Iy5jkFf}eXF*aHveS0EdaBysCWn>~cTOv6(Gh"
        "$>iV=-nqB3&#ZB3&#ZW^Zz5Z*+8JZeL?)VQyz-B03^6FfukRFf%PNH&ie)IyE&qH83tTF*sTxeS0EdaBysCWn>~c"
        "TOwmNZ7n%UZ8teicsDR{RC#$zIbt$VA}ld8GBr0{EFxiJV{dhCbYE#?B03^DA}k_vV{dY0b0RuhTOu+rGBzzRGA%"
        "MQR4_F<FfckYH7++cGFl=mA~G;CHZ3qREiyAyFf}?bFgh|dE-)}KS|ThWHD+TnHez97WMyPFI5%WBA}k_dV{~bDW"
        "g;wFH8?IXEHf}JH8U(VI4&?OGcYbSGhHlOZgp&IEHExGEN*pdY%DM?FkM|;EFx!eVPs`rV`yP+XJvCDI$K*JGB7e"
        "WEif`IGBZ>#H99abIx;XWIWaX_A}k^}VK8E5H#RY1Ffm~?GB{)+EFv{CIWRCHEL$}=E-)-HFfcAKT`XH}b!==bF)"
        "%PLFkLKWVQh0{EL$RDVQzL|b1iIXc4aMPc4cmKb0RD;EHpDT"
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
        >>> unpack(pack(b'{"applied":["AAAAAAAAAAAAAAAAAAAAAA",7]}'))
        b'{"applied":["AAAAAAAAAAAAAAAAAAAAAA",7]}'
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

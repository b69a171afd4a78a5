"""Rows as they are kept: compressed one by one, with a dictionary made of typical rows.

A row of a whole semester is 720 bytes of MessagePack, of which field names, dates and topic names
are the greater part; packed it is 420. Memory, changelog and restores shrink by as much (decision
0007).
"""

from __future__ import annotations

from base64 import b85decode
from typing import Final

import zstandard

ASLEEP: Final = b"\x03"
"""First byte of a packed row. Another dictionary, level or format is another version."""

AWAKE: Final = b"\x04"
"""First byte of one that is to be looked at: after four bytes that both have (when the newest event
is that waits, minutes since 1970), eight say when, milliseconds since 1970."""

NO_TIMER: Final = (1 << 64) - 1
"""It is to be looked at some time, whenever that is: an alert is open."""

# Trained on simulated semesters: ``python -m benchmarks.memory --train``. Rows packed with it stand
# on changelogs: never change it, add a version.
_DICTIONARY: Final = zstandard.ZstdCompressionDict(
    b85decode(
        "H>5D^0RR91R}fI>Omh&{AApnN$+mF?-(*s!;1FH}pN|v;=+`elOM_et#qI_QX#c;@^B@#gcDF^wwr+rul{Oyiu5O"
        "D+DW#NBCT~f9w(OZXbg=Ctk8CH2v9;C$lLa6UFa*XTGFmeL00e-A4GWnTk{D1Y0hv4u%ODWKC?gFZ02l)Z005X70"
        "0aO4#B9q261gCbf*=TiAdIRgly{U&0RR910RR911ONa42mk;898bf<0IqjoX>@6BXJ2z;Z*paGk(szMFfukRFf}b"
        "OG*mD$Ix#moGBz$bIW}6jGB7eWEig4LFf>#!GCDCgIx;pcFfcG$uwr2`V>D)CGdVD2VKOi>VWweYbZK^Fl*>R;`-"
        "L93QS8e=P>50Mg&w%eKvNvd%*@Qq%Ro~c%*@Qp&6LYPP5=M^0002XKr0!UnVFfI%Ro@kN3Ill;mbfb-ndcgg&(js"
        "W-~c9Ha9k7F=aGiWMpKaHO)8cr*ma=bZlj0l%Sy5FfuSQHZ3qTEiyDzFgH3dF*-3hE;leTS~4&)HZ3qTEiyDzFgH"
        "3dF*-3hE-)}KTA-$IZ*z2IWQC__X>)XMa(M%%V|8+JWo~rKKu!Pv00000rDkbvVQkAlD;b%YnVFiZVPj)&b#8QDX"
        "=I@_sAFtzb7^j8bHoxQG=KmA03}+00000bihv0xz@>9^VP<B9r)X(&bZ>Hb1E*tka&l#Ebjv_c(MPTndf}yJX>MU"
        "`%Ro2YxKZncAF5$vV{dhCbYE#?p*5&uY;SXEZfA4E5+yW%0000bT7U>6G$o3F3PZf!012mIaBysCWn_}JV>WFqIZ"
        "ACeIZk*tFmY6Qc}qEBGEvPp^{QcGV{dhCbYE#?p*5y+V{dY0bCH?2GB7eWEig1KGBi{$H##sgIxsdaIXN*}xH2#@"
        "HZ3qTEiyDzFgH3dGdeIfE-)}KTCip?HZVCiGBh_bW-w%CGBKuMV{~bDWt7W6Q~&?~0002XKr#<pDD}dR%Rp3gdf`"
        "W|6w5$82d)%);YgIrKvKW}00000%Rm!cDD}dRT+2XIYT-w&6no1+FP^wj>xCb%VL3T5H(_ICI5{yfW;kMGp*77in"
        "WtlDVQyz-bCa34GB7eWEif`IFgR2(F*-0dIx{dXH8D3@usCBjG%+$VHfAt6GBGt~G^I5#H!v`g%Rn9g000000Lwr"
        "m00000005H9Kpp@900000%RnFi000000K%p*FfcVRH_Zsrz?rx*FfukRFf=VPG*mD*IxsUjFfcAKGBH}PVKg^2HD"
        "qIEW@a%tH!?M1r8O`&Ffx+MKs0~=00000%Ro5*000000FuDVKsf*a00000!lp4WFf}kY%`%w4nYc1AGBzzRH7zhS"
        "R4_6+F*!OjGcGeXI9jkbHaTW8G&o^7Gc-A5W;ZdVH83|YGm^_dQ@{WK0002XKv@6)00000lEBMASpWb40002Oz|A"
        "-Hz^!d{bY)~;V`yP+XJvDdnYc1AGBzzRGc7PTR4_9-GdMalI4(3fG+MA_WM*VxV`DgCVq`L5Fg7!#H83|YF_OzbF"
        "#rGn0002XFfo$LKt(_R00000%Ros0000000Fui<LjV8(0002XKuG`q00000!lp4WFf}qY%_OS8t!;I5Wn^DtXkl("
        "=Wpk04xH2#@HZ3qSEipJ$F*G_cGCDOkE-^JWTCg)@W;8KoVqr2cGB#u|WHqHVGBq$TlFL9bfB*mh007HCGynhq00"
        "01zz{@~100000006_LF)%PSGBwQ}K)|bWWo2$(b7OCEWpk3mA|NIM7!(r#P$2MK(#;%`P7WX@10Vzu6(RuHAuV>R"
        "p!E#I0H<?hbaZTGWR#$w*)TFNGBzzRGc7VOR4_C;F)=zZH7+tTFj_J&GBzzRGc7VOR4_C;F)=zZH7+nPFj}CdaBp"
        "*TWn_h?XlZkFZ*qA8r(<<;a%FCG%Ro~A000000HtPWZeeW8Kr?-Cqt^;Os$pYeZ*^{TUuk5aGN@y0Z*ysGXLG~`C"
        "1-#On82lTbYW&@g{Np~b98TVc><?nb#iiLZgk5)Q__!IDD}goW@&C=Y|B7Ab;6HaDE6vhV`Fc1ZggL1WT7&sV{C7"
        "8X>Mn8#0({6fDKvrC1-#P8ARRy2&Z9iaBOL1WRkWyVn%F9Yj9a~HArS*c1T%GL^Wu7QOzW@s$pYeZ*^{TUuk5bF)"
        "*fcV{dY0bCH?2GB7eWEif`IGBH#zGCDChIx#jbGc`3@xH2#@HZ3qREiy4wFfuwZI65&lE-)}KTCg@_V>2=~V`5`v"
        "VmLEoIX9+ZV{~bDWt7W6QGfsd0002XKnkPR3O#V7%Ro_p000000LwrMqt^;OaHN#L%K!iX000000Km%t00000000"
        "26VP!QqIA$?9HaIzDVKOi^qA@Vd54ERbXkl(=Wpk35xH2#@HZ3qREiy4wFfuwZI65&fE;ltbTCg->Wo9;IWi>fsH"
        "a0hAFg2w$GchnQlFL9G00000007HCBme*a0001zz{@}+00000006?KF)%PSGcnB%w7{9TGB7eWEif}JGcZ&!F*-0"
        "aIx#mcHaIt0urW0^W-~BjI50FaGcqwZHKjE(F)%Tb%Ro?I000000LwsG00000005G}%RpHG000000K%p*FfcVUG0"
        "h~jz^ij*"
    )
)
_MINUTE: Final = 60_000
_NONE: Final = bytes(4)
_FORMAT: Final = zstandard.FORMAT_ZSTD1_MAGICLESS
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(
    1, format=_FORMAT, write_content_size=1, write_checksum=0, write_dict_id=0
)
_packer: Final = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=_PARAMETERS)
_unpacker: Final = zstandard.ZstdDecompressor(dict_data=_DICTIONARY, format=_FORMAT)


def pack(value: bytes, wake: int = 0, newest: int = 0) -> bytes:
    """Return a row's value as it is kept.

    Args:
        value: The row.
        wake: When it is to be looked at, milliseconds since 1970; 0: never.
        newest: When the newest event is that waits in it, milliseconds since 1970; 0: none does.

    Example:
        >>> unpack(pack(b"a row"))
        b'a row'
    """
    minutes = min(-(-newest // _MINUTE), (1 << 32) - 1).to_bytes(4, "big") if newest > 0 else _NONE
    if not wake:
        return ASLEEP + minutes + _packer.compress(value)
    return AWAKE + minutes + wake.to_bytes(8, "big") + _packer.compress(value)


def wake_of(kept: bytes) -> int | None:
    """Return when a packed row is to be looked at, milliseconds since 1970; None: never.

    Example:
        >>> wake_of(pack(b"a row", 1_000)), wake_of(pack(b"a row"))
        (1000, None)
    """
    return int.from_bytes(kept[5:13], "big") if kept[:1] == AWAKE else None


def waits_after(kept: bytes, time: int) -> bool:
    """Tell whether an event may wait in a packed row that is after a time.

    Args:
        kept: What ``pack`` returned.
        time: Milliseconds since 1970. What is kept is rounded up to minutes.

    Example:
        >>> waits_after(pack(b"a row", newest=1_000), 999), waits_after(pack(b"a row"), 0)
        (True, False)
    """
    return int.from_bytes(kept[1:5], "big") * _MINUTE > time


def unpack(kept: bytes) -> bytes:
    """Return what ``pack`` was given.

    Raises:
        ValueError: It was packed by another version, or by nobody.
    """
    if kept[:1] not in {ASLEEP, AWAKE}:
        raise ValueError("not packed by this version")
    try:
        return _unpacker.decompress(kept[5:] if kept[:1] == ASLEEP else kept[13:])
    except zstandard.ZstdError as error:
        raise ValueError("damaged") from error

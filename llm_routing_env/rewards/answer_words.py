"""Words around an answer: what may stand before it, what changes a number, and units."""

_STARTS = """a an the it this that these there he she they we you i its his her their our is are was were so thus hence
    therefore total answer option choice in by about approximately around roughly exactly only"""
_LEADS = """be been paid will would must should has have had gets got needs earns makes pays costs prints returns equals
    equal to of at as all just precisely simply clearly definitely likely called named known letter value number amount
    sum page city town village country state province island river lake mountain planet element metal language word name
    term color colour currency author poet painter composer singer president film movie book novel play song located
    situated found held born written painted composed discovered invented directed founded designed"""
_NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand
    thousands million millions billion billions trillion trillions lakh lakhs crore crores mil mln mio bln dozen dozens
    half halves third thirds fourths fifths sixths sevenths eighths ninths tenths hundredths thousandths quarter
    quarters score"""
_RELATIONS = """not never no neither nor without minus negative plus times than over under above below least most
    between beyond up more less fewer nearly almost hardly barely except point maximum minimum max min if unless when
    wrong incorrect twice thrice double triple doubled tripled halved squared cubed square cube root sqrt cbrt log
    logarithm ln exp sin cos tan sine cosine tangent arcsin arccos arctan factorial mod modulo divided divide multiplied
    multiply divisible divisor multiple factor factors power powers raised reciprocal inverse opposite pi remainder
    choose vs versus"""
_SMALL = "a an as at by he in is it me my of on so to us we am pm ft lb lbs oz yd mi hr st"

STARTS = frozenset(_STARTS.split())
"""What may stand before an answer, also with a capital."""
LEADS = STARTS | frozenset(_LEADS.split())
"""What may stand before an answer in small letters: with a capital it may be part of a name."""
CHANGES = frozenset(_NUMBERS.split() + _RELATIONS.split())
"""What changes the value of a number in the same sentence, or is another."""
SMALL = frozenset(_SMALL.split())
"""Words of one or two letters that may follow a number: others are variables, and "bn" or "pi"."""
UNIT = (
    r"(?:%|°\s?[CF]?|(?:[kcmµn]?m|ft|mi)(?:\^?\{?[23²³]\}?)?|[kmµ]?g|[mµn]?s|h|hrs?|min|lbs?|oz|m?[lL]|k?Wh?|k?V"
    r"|[kMG]?Hz|[kKMGT]B|mph|[km]+/[hs])(?!\w)"
)


def leads(before: str) -> bool:
    """Return whether the words before an answer say nothing of it."""
    return all(word.strip("',") in LEADS or word.casefold().strip("',") in STARTS for word in before.split())

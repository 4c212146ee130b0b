"""What may be read of which kind of object: lists of names, and nothing that is not on them.

No name here writes to a file, changes its object, or takes code as a text. `agg("mean")` names a method by a
text: such texts are on a list too.
"""

from __future__ import annotations

from gip_nb.tools.reading.kinds import Kind

__all__ = ["BY_NAME", "METHODS", "PROPERTIES", "TAKES_NAMES"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REDUCING = _names("sum mean median min max std var sem prod count nunique any all skew first last size")
# What `agg("...")` and its like may name.
BY_NAME = _REDUCING | _names(
    "idxmin idxmax quantile cumsum cumprod cummin cummax diff pct_change rank shift ffill bfill abs mode "
    "unique"
)
TAKES_NAMES = _names("agg aggregate apply transform pivot_table crosstab")

_TABLE = (_REDUCING - _names("first last size")) | _names(
    """
    quantile kurt idxmin idxmax mode cumsum cumprod cummin cummax diff pct_change shift rank corr cov
    head tail sort_values sort_index reset_index set_index rename rename_axis drop drop_duplicates
    dropna fillna ffill bfill isna isnull notna notnull duplicated value_counts nlargest nsmallest
    sample describe round abs clip astype copy where mask isin eq ne lt le gt ge add sub mul div truediv
    floordiv mod radd rsub rmul rdiv groupby rolling expanding ewm resample asfreq agg aggregate apply
    transform map replace to_dict to_numpy squeeze xs get items keys equals first_valid_index last_valid_index
    memory_usage take reindex unstack explode combine_first truncate tz_localize tz_convert at_time
    between_time convert_dtypes infer_objects
    """
)
_ACROSS = _names("count sum mean median min max std var")

METHODS: dict[Kind, frozenset[str]] = {
    Kind.FRAME: _TABLE
    | _names("select_dtypes filter assign melt pivot pivot_table stack merge join corrwith"),
    Kind.SERIES: (_TABLE - _names("set_index"))
    | _names("between unique tolist to_list to_frame item argmin argmax searchsorted autocorr"),
    Kind.INDEX: _names(
        """
        tolist to_list to_numpy to_series to_frame unique nunique value_counts min max argmin argmax isin isna
        notna duplicated drop_duplicates sort_values get_level_values get_loc get_indexer intersection union
        difference symmetric_difference append astype droplevel equals month_name day_name normalize floor
        ceil round strftime to_period map
        """
    ),
    Kind.ARRAY: _names(
        """
        sum mean std var min max prod argmin argmax cumsum any all round clip tolist item astype copy reshape
        flatten ravel transpose argsort nonzero squeeze
        """
    ),
    Kind.COLUMN_ARRAY: _names("tolist to_numpy isna unique"),
    Kind.GROUPS: BY_NAME - _names("mode abs")
    | _names(
        """
        agg aggregate apply transform filter get_group head tail ngroup cumcount nlargest nsmallest
        value_counts describe ohlc asfreq rolling expanding
        """
    ),
    Kind.WINDOW: _ACROSS | _names("sem skew kurt quantile rank agg aggregate apply"),
    Kind.INDEXER: frozenset(),
    Kind.TEXT_ACCESSOR: _names(
        """
        len lower upper title capitalize swapcase casefold strip lstrip rstrip startswith endswith contains
        match fullmatch count find rfind get slice split rsplit partition rpartition replace extract zfill pad
        ljust rjust center cat removeprefix removesuffix isalpha isdigit isnumeric isalnum isspace islower
        isupper istitle isdecimal normalize
        """
    ),
    Kind.TIME_ACCESSOR: _names(
        """
        strftime day_name month_name floor ceil round normalize total_seconds tz_localize tz_convert
        isocalendar to_period to_timestamp
        """
    ),
    Kind.CATEGORY_ACCESSOR: frozenset(),
    Kind.TEXT: _names(
        """
        lower upper title capitalize casefold strip lstrip rstrip startswith endswith split rsplit splitlines
        partition rpartition replace find rfind index count join zfill removeprefix removesuffix isalpha
        isdigit isnumeric isalnum isspace islower isupper
        """
    ),
    Kind.BYTES: _names("startswith endswith find count hex"),
    Kind.NUMBER: _names("is_integer bit_length conjugate item"),
    Kind.TIME: _names(
        """
        date time isoformat weekday isoweekday strftime timestamp total_seconds day_name month_name floor ceil
        round normalize to_period to_timestamp tz_localize tz_convert isocalendar
        """
    ),
    Kind.LIST: _names("index count copy"),
    Kind.TUPLE: _names("index count"),
    Kind.SET: _names(
        "union intersection difference symmetric_difference issubset issuperset isdisjoint copy"
    ),
    Kind.DICT: _names("get keys values items copy"),
}

_TIMES = _names(
    """
    year month day hour minute second microsecond nanosecond quarter dayofweek day_of_week weekday dayofyear
    day_of_year date time days seconds microseconds is_month_start is_month_end is_quarter_start
    is_quarter_end is_year_start is_year_end is_leap_year days_in_month
    """
)
PROPERTIES: dict[Kind, frozenset[str]] = {
    Kind.FRAME: _names("shape size ndim empty columns index dtypes T values axes loc iloc at iat"),
    Kind.SERIES: _names(
        """
        shape size ndim empty index dtype dtypes T values array name hasnans is_unique
        is_monotonic_increasing is_monotonic_decreasing nbytes loc iloc at iat str dt cat
        """
    ),
    Kind.INDEX: _names(
        """
        shape size ndim empty dtype values array name hasnans is_unique is_monotonic_increasing
        is_monotonic_decreasing nlevels str categories codes
        """
    )
    | _TIMES,
    Kind.ARRAY: _names("shape size ndim dtype T nbytes itemsize real imag"),
    Kind.COLUMN_ARRAY: _names("dtype size shape"),
    Kind.GROUPS: _names("ngroups"),
    Kind.TIME_ACCESSOR: _TIMES,
    Kind.CATEGORY_ACCESSOR: _names("categories codes ordered"),
    Kind.DTYPE: _names("name kind itemsize"),
    Kind.NUMBER: _names("real imag dtype"),
    # `weekday` and `date` are methods of a single time, and properties of a column of them.
    Kind.TIME: _TIMES - _names("weekday date time"),
    Kind.OTHER_SCALAR: _names("left right mid length"),
}

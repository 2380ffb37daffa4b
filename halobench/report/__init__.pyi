from .contract import Nothing as Nothing
from .contract import report as report
from .style import colour as colour
from .style import marker as marker
from .style import ordered as ordered

"""Measurements of the printed part against the dimensions it was designed with."""

from labkit.inspection.judging import COLUMNS as COLUMNS
from labkit.inspection.judging import Item as Item
from labkit.inspection.judging import Measured as Measured
from labkit.inspection.judging import Measurements as Measurements
from labkit.inspection.judging import judge as judge
from labkit.inspection.judging import keep_table as keep_table
from labkit.inspection.judging import measurements as measurements
from labkit.inspection.judging import plan as plan
from labkit.inspection.judging import read_measurements as read_measurements
from labkit.inspection.judging import statistics as statistics
from labkit.inspection.judging import write_template as write_template
from labkit.inspection.sheet import Sheet as Sheet

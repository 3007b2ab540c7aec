"""A map as GraphML, which Gephi, yEd and Cytoscape open: a node a concept, an edge from each to its parents."""

import re
from pathlib import Path

from ...atomic_file import write_atomically
from ..engine.output import row_groups

SHOWN = ("name_en", "name_zh", "kind", "generality", "pagerank", "captions", "coverage", "rarity")
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_graphml(concepts: Path, out: Path) -> None:
    """Write the file of a map; NetworkX, which PyTorch brings along, knows the format."""
    import networkx

    graph = networkx.DiGraph()
    for table in row_groups(concepts, ["concept", "parents", *SHOWN]):
        for row in table.to_pylist():
            told = {name: plain(row[name]) for name in SHOWN if row[name] is not None}
            graph.add_node(plain(row["concept"]), **told)
            graph.add_edges_from((plain(row["concept"]), plain(parent)) for parent in row["parents"])
    write_atomically(out, lambda opened: networkx.write_graphml_xml(graph, opened))


def plain(value: object) -> object:
    """A value that XML can hold."""
    return NOT_IN_XML.sub("", value) if isinstance(value, str) else value

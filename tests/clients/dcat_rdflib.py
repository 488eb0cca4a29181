"""The catalogue is DCAT: rdflib reads the JSON-LD, and SPARQL finds in it what the API lists."""

import requests
from rdflib import Graph

from node import URL, token

headers = {"authorization": f"Bearer {token()}"}
exported = requests.get(f"{URL}/v1/catalog.jsonld", headers=headers, timeout=10)
assert exported.headers["content-type"] == "application/ld+json", exported.headers
again = requests.get(f"{URL}/v1/catalog.jsonld", headers={**headers, "if-none-match": exported.headers["etag"]}, timeout=10)
assert again.status_code == 304 and not again.content, again.status_code
listed = requests.get(f"{URL}/v1/catalog/datasets?limit=200", headers=headers, timeout=10).json()["items"]

graph = Graph().parse(data=exported.text, format="json-ld")
found = graph.query("""
    PREFIX dcat: <http://www.w3.org/ns/dcat#>
    PREFIX dct: <http://purl.org/dc/terms/>
    PREFIX foaf: <http://xmlns.com/foaf/0.1/>
    PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
    SELECT ?dataset ?title ?code ?publisher ?issued ?theme WHERE {
        ?catalog a dcat:Catalog ; dcat:dataset ?dataset ; dcat:service ?service .
        ?service a dcat:DataService ; dcat:endpointURL ?endpoint .
        ?dataset a dcat:Dataset ; dct:title ?title ; dct:identifier ?code ; dct:issued ?issued ; dcat:theme ?theme ;
            dct:publisher ?organisation ; dct:accrualPeriodicity ?cycle ; dct:accessRights ?rights .
        ?organisation a foaf:Organization ; foaf:name ?publisher .
        FILTER (lang(?title) = "zh" && lang(?publisher) = "zh" && datatype(?issued) = xsd:date && isIRI(?cycle)
            && isIRI(?rights) && regex(?code, "/"))
    }""")
rows = {(str(row.dataset), str(row.title), str(row.code)) for row in found}
assert rows == {(f"{URL}/v1/catalog/datasets/{one['id']}", one["name"]["zh"], one["code"]) for one in listed}, rows
served = graph.query("""
    PREFIX dcat: <http://www.w3.org/ns/dcat#>
    SELECT ?dataset WHERE { ?dataset dcat:distribution/dcat:accessService ?service . ?service dcat:servesDataset ?dataset }""")
assert len(served) >= 4, list(served)
print(f"{len(graph)} triples, {len(rows)} datasets")

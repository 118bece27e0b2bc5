"""Geography: capitals of countries; the pair of template and country is held out."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import ContextExamples, Fact, templated_facts, with_openers

CAPITALS = {
    "Afghanistan": "Kabul", "Albania": "Tirana", "Algeria": "Algiers", "Angola": "Luanda",
    "Argentina": "Buenos Aires", "Armenia": "Yerevan", "Australia": "Canberra", "Austria": "Vienna",
    "Azerbaijan": "Baku", "Bangladesh": "Dhaka", "Belarus": "Minsk", "Belgium": "Brussels",
    "Bhutan": "Thimphu", "Botswana": "Gaborone", "Brazil": "Brasilia", "Bulgaria": "Sofia",
    "Cambodia": "Phnom Penh", "Cameroon": "Yaounde", "Canada": "Ottawa", "Chad": "N'Djamena",
    "Chile": "Santiago", "China": "Beijing", "Colombia": "Bogota", "Costa Rica": "San Jose",
    "Croatia": "Zagreb", "Cuba": "Havana", "Cyprus": "Nicosia", "Denmark": "Copenhagen",
    "Ecuador": "Quito", "Egypt": "Cairo", "Estonia": "Tallinn", "Ethiopia": "Addis Ababa",
    "Fiji": "Suva", "Finland": "Helsinki", "France": "Paris", "Gabon": "Libreville",
    "Georgia": "Tbilisi", "Germany": "Berlin", "Ghana": "Accra", "Greece": "Athens",
    "Guatemala": "Guatemala City", "Haiti": "Port-au-Prince", "Honduras": "Tegucigalpa",
    "Hungary": "Budapest", "Iceland": "Reykjavik", "India": "New Delhi", "Indonesia": "Jakarta",
    "Iran": "Tehran", "Iraq": "Baghdad", "Ireland": "Dublin", "Italy": "Rome", "Jamaica": "Kingston",
    "Japan": "Tokyo", "Jordan": "Amman", "Kazakhstan": "Astana", "Kenya": "Nairobi", "Laos": "Vientiane",
    "Latvia": "Riga", "Lebanon": "Beirut", "Liberia": "Monrovia", "Libya": "Tripoli",
    "Lithuania": "Vilnius", "Madagascar": "Antananarivo", "Malaysia": "Kuala Lumpur", "Mali": "Bamako",
    "Malta": "Valletta", "Mexico": "Mexico City", "Moldova": "Chisinau", "Mongolia": "Ulaanbaatar",
    "Morocco": "Rabat", "Mozambique": "Maputo", "Namibia": "Windhoek", "Nepal": "Kathmandu",
    "New Zealand": "Wellington", "Nicaragua": "Managua", "Nigeria": "Abuja", "Norway": "Oslo",
    "Oman": "Muscat", "Pakistan": "Islamabad", "Panama": "Panama City", "Paraguay": "Asuncion",
    "Peru": "Lima", "Poland": "Warsaw", "Portugal": "Lisbon", "Qatar": "Doha", "Romania": "Bucharest",
    "Russia": "Moscow", "Rwanda": "Kigali", "Saudi Arabia": "Riyadh", "Senegal": "Dakar",
    "Serbia": "Belgrade", "Slovakia": "Bratislava", "Slovenia": "Ljubljana", "Somalia": "Mogadishu",
    "South Korea": "Seoul", "Spain": "Madrid", "Sudan": "Khartoum", "Sweden": "Stockholm",
    "Syria": "Damascus", "Thailand": "Bangkok", "Tunisia": "Tunis", "Turkey": "Ankara",
    "Uganda": "Kampala", "Ukraine": "Kyiv", "Uruguay": "Montevideo", "Uzbekistan": "Tashkent",
    "Venezuela": "Caracas", "Vietnam": "Hanoi", "Zambia": "Lusaka", "Zimbabwe": "Harare",
}  # fmt: skip
TEMPLATES = with_openers(
    (
        "What is the capital of {}?",
        "Which city is the capital of {}?",
        "Name the capital city of {}.",
        "In {}, which city is the capital?",
        "What city serves as the capital of {}?",
        "Tell me the capital of the country {}.",
    )
)


def geography_examples(rng: np.random.Generator) -> ContextExamples:
    """Return every capital asked with every template; nothing here is random."""
    facts = [Fact(country, city, f"The capital of {country} is {city}") for country, city in CAPITALS.items()]
    return templated_facts(facts, TEMPLATES, one_in=4)

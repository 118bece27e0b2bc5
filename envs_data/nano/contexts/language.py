"""Language: everyday English words in Spanish, French and German; the pair of template and word is held out."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import ContextExamples, Fact, templated_facts, with_openers

LANGUAGES = ("Spanish", "French", "German")
# English word: Spanish, French, German.
WORDS = {
    "house": "casa maison Haus", "dog": "perro chien Hund", "cat": "gato chat Katze",
    "water": "agua eau Wasser", "bread": "pan pain Brot", "milk": "leche lait Milch",
    "apple": "manzana pomme Apfel", "book": "libro livre Buch", "table": "mesa table Tisch",
    "chair": "silla chaise Stuhl", "window": "ventana fenêtre Fenster", "door": "puerta porte Tür",
    "sun": "sol soleil Sonne", "moon": "luna lune Mond", "star": "estrella étoile Stern",
    "tree": "árbol arbre Baum", "flower": "flor fleur Blume", "bird": "pájaro oiseau Vogel",
    "fish": "pez poisson Fisch", "horse": "caballo cheval Pferd", "cow": "vaca vache Kuh",
    "red": "rojo rouge rot", "green": "verde vert grün", "blue": "azul bleu blau",
    "white": "blanco blanc weiß", "black": "negro noir schwarz", "yellow": "amarillo jaune gelb",
    "one": "uno un eins", "two": "dos deux zwei", "three": "tres trois drei", "four": "cuatro quatre vier",
    "five": "cinco cinq fünf", "six": "seis six sechs", "seven": "siete sept sieben", "eight": "ocho huit acht",
    "mother": "madre mère Mutter", "father": "padre père Vater", "brother": "hermano frère Bruder",
    "sister": "hermana sœur Schwester", "friend": "amigo ami Freund", "hand": "mano main Hand",
    "head": "cabeza tête Kopf", "heart": "corazón cœur Herz", "eye": "ojo œil Auge", "foot": "pie pied Fuß",
    "day": "día jour Tag", "night": "noche nuit Nacht", "week": "semana semaine Woche", "year": "año an Jahr",
    "city": "ciudad ville Stadt", "street": "calle rue Straße", "school": "escuela école Schule",
    "church": "iglesia église Kirche", "kitchen": "cocina cuisine Küche", "knife": "cuchillo couteau Messer",
    "salt": "sal sel Salz", "sugar": "azúcar sucre Zucker", "rain": "lluvia pluie Regen",
    "snow": "nieve neige Schnee", "fire": "fuego feu Feuer", "money": "dinero argent Geld",
    "shoe": "zapato chaussure Schuh", "shirt": "camisa chemise Hemd", "key": "llave clé Schlüssel",
}  # fmt: skip
TEMPLATES = with_openers(
    (
        "What is the {language} word for {word}?",
        "How do you say {word} in {language}?",
        "Translate {word} into {language}.",
        "I need the {language} translation of {word}.",
    )
)


def language_examples(rng: np.random.Generator) -> ContextExamples:
    """Return every word in every language with every template; nothing here is random."""
    examples = ContextExamples([], [])
    for i, language in enumerate(LANGUAGES):
        templates = [t.replace("{language}", language).replace("{word}", "{}") for t in TEMPLATES]
        facts = [
            Fact(word, answers.split()[i], f"The {language} word for {word} is {answers.split()[i]}")
            for word, answers in WORDS.items()
        ]
        asked = templated_facts(facts, templates, one_in=5)
        examples.training.extend(asked.training)
        examples.held_out.extend(asked.held_out)
    return examples

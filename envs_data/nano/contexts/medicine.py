"""Medicine: which specialist treats a condition, which class a drug belongs to."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import (
    ContextExamples,
    Fact,
    drawn,
    templated_facts,
    with_openers,
)

CONDITIONS = {
    "cardiologist": "angina, atrial fibrillation, heart failure, arrhythmia, myocarditis, aortic stenosis",
    "dermatologist": "eczema, psoriasis, acne, rosacea, vitiligo, alopecia areata",
    "neurologist": "migraine, epilepsy, multiple sclerosis, Parkinson's disease, narcolepsy, trigeminal neuralgia",
    "gastroenterologist": "Crohn's disease, ulcerative colitis, celiac disease, acid reflux, peptic ulcer, hepatitis",
    "endocrinologist": "diabetes, hypothyroidism, Graves' disease, Cushing's syndrome, Addison's disease, acromegaly",
    "pulmonologist": "COPD, emphysema, pulmonary fibrosis, bronchiectasis, chronic bronchitis, pleural effusion",
    "nephrologist": "kidney failure, glomerulonephritis, nephrotic syndrome, polycystic kidneys, IgA nephropathy,"
    " renal tubular acidosis",
    "rheumatologist": "rheumatoid arthritis, lupus, gout, ankylosing spondylitis, fibromyalgia, scleroderma",
    "ophthalmologist": "glaucoma, cataracts, macular degeneration, retinal detachment, uveitis, keratoconus",
    "psychiatrist": "schizophrenia, bipolar disorder, major depression, panic disorder, psychosis, social anxiety",
    "oncologist": "lung cancer, colon cancer, breast cancer, pancreatic cancer, stomach cancer, bone cancer",
    "hematologist": "hemophilia, sickle cell anemia, thalassemia, aplastic anemia, polycythemia vera,"
    " von Willebrand disease",
    "urologist": "kidney stones, enlarged prostate, erectile dysfunction, bladder stones, varicocele, prostatitis",
    "otolaryngologist": "tonsillitis, sinusitis, nasal polyps, otosclerosis, Meniere's disease, vocal cord nodules",
    "gynecologist": "endometriosis, uterine fibroids, ovarian cysts, bacterial vaginosis, cervical dysplasia,"
    " polycystic ovaries",
    "orthopedist": "rotator cuff tear, torn meniscus, hip fracture, clubfoot, frozen shoulder, bow legs",
    "dentist": "tooth decay, gingivitis, a cracked tooth, a tooth abscess, teeth grinding, a chipped molar",
    "allergist": "hay fever, peanut allergy, bee sting allergy, shellfish allergy, penicillin allergy, pollen allergy",
}
DRUGS = {
    "statin": "atorvastatin, simvastatin, rosuvastatin, pravastatin",
    "beta blocker": "metoprolol, atenolol, propranolol, bisoprolol",
    "ACE inhibitor": "lisinopril, enalapril, ramipril, captopril",
    "antibiotic": "amoxicillin, azithromycin, doxycycline, ciprofloxacin",
    "benzodiazepine": "diazepam, lorazepam, alprazolam, clonazepam",
    "SSRI": "fluoxetine, sertraline, citalopram, paroxetine",
    "opioid": "morphine, oxycodone, fentanyl, codeine",
    "antihistamine": "cetirizine, loratadine, diphenhydramine, fexofenadine",
    "proton pump inhibitor": "omeprazole, esomeprazole, lansoprazole, pantoprazole",
    "diuretic": "furosemide, hydrochlorothiazide, spironolactone, bumetanide",
    "corticosteroid": "prednisone, dexamethasone, hydrocortisone, budesonide",
    "anticoagulant": "warfarin, heparin, apixaban, rivaroxaban",
}
CONDITION_TEMPLATES = with_openers(
    (
        "Which doctor treats {}?",
        "What kind of specialist should I see for {}?",
        "Who treats patients with {}?",
        "My friend has {}. Which specialist can help?",
        "For {}, what type of doctor do I need?",
        "Which specialist deals with {}?",
    )
)
DRUG_TEMPLATES = with_openers(
    (
        "What class of drug is {}?",
        "What type of medicine is {}?",
        "Which group of drugs does {} belong to?",
        "My doctor prescribed {}. What kind of drug is it?",
        "Name the drug class of {}.",
        "What sort of medication is {}?",
    )
)
N_HELD_OUT_CONDITIONS, N_HELD_OUT_DRUGS = 360, 160


def medicine_examples(rng: np.random.Generator) -> ContextExamples:
    """Return every condition and drug asked with every template; ``rng`` picks the held-out mix."""
    conditions = [
        Fact(name, doctor, f"The right doctor for {name} is a {doctor}")
        for doctor, names in CONDITIONS.items()
        for name in names.split(", ")
    ]
    drugs = [
        Fact(name, group, f"The drug class of {name} is {group}")
        for group, names in DRUGS.items()
        for name in names.split(", ")
    ]
    asked = templated_facts(conditions, CONDITION_TEMPLATES, one_in=5)
    prescribed = templated_facts(drugs, DRUG_TEMPLATES, one_in=5)
    held_out = drawn(asked.held_out, N_HELD_OUT_CONDITIONS, rng)
    held_out += drawn(prescribed.held_out, N_HELD_OUT_DRUGS, rng)
    return ContextExamples(asked.training + prescribed.training, held_out)

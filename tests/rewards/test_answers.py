"""Final answers as instruct models write them: what is read, what is not, and what a reference is compared with."""

import time

import pytest

from llm_routing_env.rewards.answers import not_parsed, parse_answer
from llm_routing_env.rewards.scorers import final_answer

ROWS = [
    # markdown
    ("The answer is **18**.", "18", 1),
    ("The capital is **Paris**.", "Paris", 1),
    ("**B**", "B", 1),
    ("**Answer:** B", "B", 1),
    ("**Final Answer:** *18*", "18", 1),
    ("So the total comes to __18__ apples", "18", 1),
    ("### Final Answer\n\n18", "18", 1),
    ("The capital of France, as everybody in the whole wide world knows, is the city called **Paris**!", "Paris", 1),
    ("It prints `h`", "h", 1),
    ("It is not **Paris**.", "Paris", 0),
    ("**Step 1:** 9 + 9 = 18\n**Step 2:** 18 + 2 = 20", "20", 1),
    ("**Step 1:** 9 + 9 = 18\n**Step 2:** 18 + 2 = 20", "18", 0),
    # LaTeX
    (r"So the total is \boxed{18}", "18", 1),
    (r"The answer is $\boxed{18}$.", "18", 1),
    (r"\[\boxed{\text{Paris}}\]", "Paris", 1),
    (r"Hence $x = \boxed{\frac{3}{4}}$.", "3/4", 1),
    (r"Hence $x = \boxed{\frac{3}{4}}$.", r"\frac{3}{4}", 1),
    (r"\boxed{18 \text{ apples}}", "18", 1),
    (r"First \boxed{18}, and finally \boxed{20}", "18", 0),
    (r"First \boxed{18}, and finally \boxed{20}", "20", 1),
    (r"I thought of \boxed{18}, but the answer is 20.", "18", 0),
    (r"I thought of \boxed{18}, but the answer is 20.", "20", 1),
    (r"\boxed{18}. Wait, I forgot two of them.", "18", 0),
    (r"Therefore \(x = 18\).", "18", 1),
    (r"The cost is \$1{,}250", "1250", 1),
    ("The answer is $x = 18$", "18", 1),
    # numbers
    ("It costs $1,250.0.", "1250", 1),
    ("It costs 1\u202f250 euros", "1,250", 1),
    ("The answer is 1,2", "12", 0),
    ("The answer is 1,2", "1,2", 1),
    ("The loss is \u22125", "-5", 1),
    ("The loss is \u22125", "5", 0),
    ("The loss is -$5", "-5", 1),
    ("8 minus 13 is 8-5", "-5", 0),
    ("The rate is 5%", "5", 1),
    ("The rate is 5 percent.", "5%", 1),
    ("She has 18 apples", "18", 1),
    ("The distance is 42 km.", "42", 1),
    ("The distance is 42km.", "42", 1),
    ("Its speed is 30 km/h", "30", 1),
    ("The area is 12 m²", "12", 1),
    ("He pays USD 18", "18", 1),
    ("He pays 18€", "18", 1),
    ("There are 18 apples left in the basket.", "18", 1),
    ("A total of 18", "18", 1),
    ("The probability is .5", "0.5", 1),
    ("Fewer than 18", "18", 0),
    ("It has 18 million inhabitants", "18", 0),
    ("It has 18 million inhabitants", "18 million inhabitants", 1),
    ("It was between 18 and 20", "20", 0),
    ("It is 18 or 20", "20", 0),
    ("46 is the sum of 12 and 34", "46", 0),
    ("46 is the sum of 12 and 34", "34", 0),
    ("So 12 + 34 = 46", "46", 1),
    ("The answer is 146", "46", 0),
    ("The answer is 46.5", "46", 0),
    # a choice
    ("Answer: B", "B", 1),
    ("(B)", "B", 1),
    ("The correct option is (B).", "B", 1),
    ("B) Paris", "B", 1),
    ("B) Paris", "Paris", 1),
    ("B. Paris", "B", 1),
    ("A) vitamin B", "B", 0),
    # the reference is the option with its text
    ("The answer is B.", "B) Paris", 1),
    ("(B)", "(B) Paris", 1),
    ("\\boxed{B}", "B: Paris", 1),
    ("The answer is E.", "E. coli", 0),
    ("The answer is B.", "B. Paris", 0),  # or a name
    ("The answer is Paris.", "B) Paris", 1),
    ("The answer is B) Paris.", "B) Paris", 1),
    ("The answer is C.", "B) Paris", 0),
    ("The answer is C) Paris.", "B) Paris", 0),
    ("The answer is B) London.", "B) Paris", 0),
    ("Mary Lincoln", "A. Lincoln", 0),
    ("A. Johnson", "A. Lincoln", 0),
    ("Answer: C", "B", 0),
    ("The answer is B because Paris has been the capital since 987.", "B", 1),
    ("The answer is B. Paris has been the capital of France for more than a thousand years.", "B", 1),
    ("Paris is a good answer", "A", 0),
    ("The answer is A or B", "B", 0),
    # where the answer stands
    ("The answer is 18. I hope this helps!", "18", 1),
    ("The capital is Paris. Let me know if you have any other questions! 😊", "Paris", 1),
    ("18 😊", "18", 1),
    ("9 * 2 = 18\n#### 18", "18", 1),
    ("I first got 18 but the answer is 20", "18", 0),
    ("I first got 18 but the answer is 20", "20", 1),
    ("The answer is 18. Wait, it should be 20.", "18", 0),
    ("The answer is 18. This is so since nine pairs make 18 and 2 are half a pair less.", "18", 1),
    ("Paris is the correct answer, not Lyon.", "Paris", 1),
    ("B\n\nExplanation: Paris has been the capital since 987, says Wikipedia.", "B", 1),
    ("The answer to the second question is Paris.", "Paris", 1),
    ("Paris is the capital of France.", "Paris", 0),
    ("She makes 9 * 2 = $18 every day at the farmers' market.", "18", 1),
    ("The answer is 18 = 9 * 2", "18", 1),
    ("The answer should be 18 (nine times two).", "18", 1),
    ("- 18", "18", 1),
    ("(18)", "18", 1),
    (r"\boxed 18", "18", 1),
    ("The answer is 0", "0", 1),
    ("The answer is 0", "1", 0),
    ("Option D is correct.", "D", 1),
    ("I believe the answer is D, as stated in the passage.", "D", 1),
    ("The capital of Australia is **Canberra**, not Sydney.", "Canberra", 1),
    ("The capital of Australia is **Canberra**, not Sydney.", "Sydney", 0),
    ("The capital of France is Paris, which lies on the Seine.", "Paris", 1),
    # what is denied, or said of something else
    ("Not Paris", "Paris", 0),
    ("The answer is not Paris", "Paris", 0),
    ("It isn't 18", "18", 0),
    ("I cannot say whether it is 18", "18", 0),
    ("The capital is not Lyon, it is Paris.", "Paris", 1),
    ("a caparis", "Paris", 0),
    ("Not enough information", "Not enough information", 1),
    # thoughts and tags
    ("<think>\nReasoning.\n</think>\n\n**18**", "18", 1),
    ("<think>The answer is 17, or \\boxed{16}.</think> 18", "18", 1),
    ("The answer is 17.\n</think>\n\nThe answer is 18.", "18", 1),
    ("<think>The answer is 18", "18", 0),
    ("<answer>18</answer>", "18", 1),
    ("It is B.\n<answer>\n**C**\n</answer>", "C", 1),
    ("The total is <b>18</b>", "18", 1),
    # the option that it begins with
    ("B) Paris\n\nParis is the capital of France, located on the Seine.", "B", 1),
    ("B) Paris\n\nParis is the capital of France, located on the Seine.", "Paris", 1),
    ("**B) Paris**\n\nParis is the capital.", "B", 1),
    ("B. Paris is the capital because it hosts the government.", "B", 1),
    ("B) Paris\n\nThe answer is C.", "B", 0),
    ("B) Paris\n\nTherefore, it is C.", "B", 0),
    ("B) Paris\n\nThat is incorrect.", "B", 0),
    ("A) Paris\nB) Lyon\nC) Rome", "C", 0),
    ("A) Paris\nB) Lyon\n\nSo it is A.", "A", 1),
    # several answers
    ("The answer is A and C", "C", 0),
    ("A, B", "B", 0),
    ("x = 18, y = 20", "20", 0),
    (r"\boxed{x = 18, y = 20}", "20", 0),
    (r"\boxed{18}, \boxed{20}", "20", 0),
    (r"\boxed{18} and $\boxed{18}$", "18", 1),
    ("18\n19\n20", "20", 0),
    ("1. Paris\n2. Lyon", "Lyon", 0),
    ("The sum of **12** and **34** is **46**.", "46", 1),
    # a number that its surroundings change
    (r"\boxed{x > 18}", "18", 0),
    (r"x \ge 18", "18", 0),
    ("x <= 18", "18", 0),
    ("x < 18", "18", 0),
    (r"\boxed{18!}", "18", 0),
    (r"\boxed{18^2}", "18", 0),
    ("The answer is 18!", "18", 1),
    ("The answer is 18M", "18", 0),
    ("The answer is $18 bn", "18", 0),
    ("The answer is $18m", "18", 0),
    ("The answer is 18 m", "18", 1),
    ("The answer is 18 squared", "18", 0),
    ("The answer is 18 divided by three", "18", 0),
    ("The answer is 18 and a half", "18", 0),
    ("The answer is 18 months", "18", 1),
    ("twice 18", "18", 0),
    ("half of 18", "18", 0),
    ("She must pay half of 18 dollars.", "18", 0),
    ("sqrt 5", "5", 0),
    ("log 5", "5", 0),
    ("5 pi", "5", 0),
    ("5 x", "5", 0),
    ("one in 6", "6", 0),
    ("The ratio is 3 : 1", "1", 0),
    ("There are 18 fewer", "18", 0),
    # taken back or asked
    ("The answer is 18. However, this is wrong.", "18", 0),
    ("The answer is 18. But let me reconsider.", "18", 0),
    ("The answer is 18 is wrong.", "18", 0),
    ("Some say the answer is 18. It grows.", "18", 0),
    ("The incorrect option is B.", "B", 0),
    ("I do not think the answer is 18", "18", 0),
    ("Is it 18?", "18", 0),
    ("Do you mean Paris?", "Paris", 0),
    ("The answer is 18. No further steps are needed.", "18", 1),
    ("The answer is B.\n\nNo other option fits.", "B", 1),
    ("The answer is 18. No, wait.", "18", 0),
    # a name in a longer one
    ("The answer is South Korea", "Korea", 0),
    ("The answer is Papua New Guinea", "Guinea", 0),
    ("The answer is Guinea-Bissau", "Bissau", 0),
    ("The answer is Vitamin C", "C", 0),
    ("It is anything except Paris", "Paris", 0),
    ("The answer is the city of Paris", "Paris", 1),
    ("It is Paris", "Paris", 1),
    ("It was written by William Shakespeare.", "William Shakespeare", 1),
    # formulas
    (r"\boxed{\frac12}", "1/2", 1),
    (r"\boxed{\frac{1}{2}}", "0.5", 1),
    (r"\boxed{\frac{a+b}{2}}", "a+b/2", 0),
    (r"\boxed{18^\circ}", "18", 1),
    ("The answer is (1, 2)", "(1,2)", 1),
    (r"\boxed{x^2 + 1}", "x^2+1", 1),
    ("18/20", "20", 0),
    ("1/0", "0", 0),
    # whole sentences
    ("18 apples are left.", "18", 1),
    ("Kylar needs to pay $64 for the glasses.", "64", 1),
    ("Toulouse, Charleston, and Seattle have 260 sheep together.", "260", 1),
    ("She has 18 more apples than Tom does now.", "18", 0),
    ("In 1900 he owned 18 apples and some pears.", "18", 0),
    ("She never sold apples to Apollo 11 before that.", "11", 0),
    ("Final answer: cannot be determined", "cannot be determined", 1),
    ("The answer is: not enough information", "Not enough information", 1),
    # references as they come
    ("The answer is 18", "$18", 1),
    ("The answer is 18", r"\boxed{18}", 1),
    ("The answer is 18", "18 apples", 0),
    ("Dr. Jane Smith", "Dr. Jane Smith", 1),
    ("x = 5", "x = 5", 1),
    ("C++", "C", 0),
    ("", "18", 0),
]


@pytest.mark.parametrize(("response", "reference", "expected"), ROWS)
def test_a_final_answer_as_a_model_writes_it(response: str, reference: str, expected: int):
    assert final_answer([response], [(reference,)]).tolist() == [expected]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"The answer is $\boxed{\text{18 apples}}$. I hope this helps!", "18 apples"),
        ("The answer is B. I hope this helps!", "B"),
        ("B) Paris", "B) Paris"),
        ("So, after all of this, **Paris** it is.", "Paris"),
        ("", None),
        ("...", None),
        ("<think>Unfinished: the answer is 18", None),
        ("A) Paris\nB) Lyon\nC) Rome", None),
        ("The answer is A and C", None),
        ("The capital is Paris. It is not Lyon.", None),
        ("Kylar needs to pay $64 for the glasses.", "$64"),
        ("The old cat sat on the mat and looked at the dog.", None),
        ("It is type 2 diabetes", "type 2 diabetes"),
        ("The answer is `List<int>`", "List<int>"),
        ("It is 18 or 20", None),
        ("I don't know", None),
        ("The answer is 18. Wait, that leaves out two.", None),
        ("Let us see what the woman who wed him years ago may have said to the others about it", None),
    ],
)
def test_what_is_read_or_not(response: str, answer: str | None):
    assert parse_answer(response) == answer


def test_responses_without_an_answer_are_told_apart():
    assert not_parsed(["18", "It is 18 or 20", ""]).tolist() == [False, True, True]


TAGS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "B) x\n",
    "x = ",
    "A, ",
    "\\frac{",
    "\\frac1",
    "1 and ",
    "18 a ",
]


@pytest.mark.parametrize(
    "text", [" ", "!", "\n", "-\n", "$", "**", "__", "{", "\\boxed{", "a ", "1 ", "is ", "<", ".", *TAGS]
)
def test_hostile_text_is_read_in_a_moment(text: str):
    start = time.perf_counter()
    parse_answer(text * 20_000)
    parse_answer("The answer is " + text * 20_000 + " 18")
    assert time.perf_counter() - start < 2.0

"use strict";
// Makes every header cell a button that sorts its table; without this script the tables stand as they are.
const value = (row, column) => row.cells[column].dataset.value ?? "";

function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === ""); // missing values stay last
  const difference = a - b;
  return direction * (Number.isNaN(difference) ? a.localeCompare(b) : difference);
}

function sort(header, table) {
  const first = header.dataset.first ?? "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = header.getAttribute("aria-sort") === first ? other : first;
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const column = header.cellIndex;
  const direction = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].filter((row) => row.cells.length > column);
  rows.sort((a, b) => compare(value(a, column), value(b, column), direction));
  body.prepend(...rows); // rows without that cell (agents that failed) follow
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(header, table));
    header.append(button);
  }
}

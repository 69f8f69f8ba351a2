// Pieces of a page that every live view is made of.

function make(tag, settings = {}, children = []) {
  const element = Object.assign(document.createElement(tag), settings);
  element.append(...children);
  return element;
}

/** The group that a live view is. */
function group(className, ariaLabel) {
  const root = make("div", { className, role: "group", ariaLabel });
  // JupyterLab would take arrow keys and letters for its own
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  return root;
}

/** A line of help that a screen reader says with each of the elements. */
function help(words, elements) {
  const line = make("p", { id: `labkit-${Math.random().toString(36).slice(2)}` }, [words]);
  for (const element of elements) element.setAttribute("aria-describedby", line.id);
  return line;
}

/** Words at the four edges of a picture. */
function at_edges(words, kind) {
  return Object.entries(words).map(([edge, word]) =>
    make("span", { className: `${kind} ${edge}`, ariaHidden: "true" }, [word]),
  );
}

/** The greatest of 1, 2, 5, 10 … that is not longer. */
function round_length(most_mm) {
  const power = 10 ** Math.floor(Math.log10(most_mm));
  return power * [5, 2, 1].find((step) => step * power <= most_mm);
}

// For scripts of widgets, which have this before them: whether anyone can see a view.

// Milliseconds between two words that it is still seen. A browser that is gone says nothing more.
const BEAT = 5000;

// A model may have several views, and the kernel is told of each.
function nameOfView() {
  return Math.random().toString(36).slice(2);
}

// Whether the element is on the screen and the page is in front; calls `tell` when that changes.
function watch(element, tell) {
  let onScreen = false;
  let told = null;
  const seen = () => onScreen && !document.hidden;
  const look = () => {
    if (seen() !== told) tell((told = seen()));
  };
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1).isIntersecting;
    look();
  });
  observer.observe(element);
  document.addEventListener("visibilitychange", look);
  const beat = setInterval(() => seen() && tell(true), BEAT);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", look);
    clearInterval(beat);
    tell(false);
  };
}


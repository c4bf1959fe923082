export const LONG_TEXT =
  "Whoever has helped may ask for help, and whoever asks gives food and company in return; so a roof is made in a day, and a harvest is in before the rain.";
/** Nowhere in it can a line be broken. */
export const LONG_WORD = "muitasmaosfazemumtrabalholeve".repeat(12);

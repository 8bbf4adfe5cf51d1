/** Every flash of the page begins at the same moment, whenever its alarm came: all of them flash together. */
export function flashTogether(): () => void {
  const align = ({ animationName, target }: AnimationEvent) => {
    // The names in CSS modules have something before and behind them.
    if (!/flash/.test(animationName) || !(target instanceof Element)) return;
    for (const animation of target.getAnimations()) {
      if (animation instanceof CSSAnimation && animation.animationName === animationName) animation.startTime = 0;
    }
  };
  document.addEventListener("animationstart", align);
  return () => document.removeEventListener("animationstart", align);
}

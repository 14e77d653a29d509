use url::Url; use super::page::Page;
#[derive(Clone,Debug)] pub struct NoLoginForm; impl std::fmt::Display for NoLoginForm { fn fmt(&self,_f:&mut std::fmt::Formatter<'_>)->std::fmt::Result{Ok(())} }
pub struct LoginForm; #[derive(PartialEq)] pub enum LoginKind { Whole, NameFirst, PasswordOnly, OneTimeCode }
pub fn find(_p:&Page)->Result<LoginForm,NoLoginForm>{Err(NoLoginForm)}
pub fn login_links(_p:&Page)->Vec<Url>{vec![]}
impl LoginForm { pub fn kind(&self)->LoginKind{LoginKind::Whole} pub fn description(&self)->String{String::new()} pub fn submission(&self,_f:&super::fill::Filled<'_>,_p:&Page,_c:&[(String,String)])->Result<super::fill::Submission,String>{Err(String::new())} }
